CREATE TABLE `packed_logs` (
	`operation_id` text NOT NULL,
	`first_id` integer NOT NULL,
	`last_id` integer NOT NULL,
	`lines` integer NOT NULL,
	`data` blob NOT NULL,
	PRIMARY KEY(`operation_id`, `first_id`),
	FOREIGN KEY (`operation_id`) REFERENCES `operations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
ALTER TABLE `operations` ADD `log_packed_at` integer;--> statement-breakpoint
CREATE INDEX `operations_to_pack` ON `operations` (`ended_at`) WHERE +state = 'done' and log_packed_at is null;