CREATE TABLE `drift` (
	`key` text PRIMARY KEY NOT NULL,
	`instance_id` text NOT NULL,
	`finding` text NOT NULL,
	`monthly_cents` integer NOT NULL,
	`found_at` integer NOT NULL,
	`found_monotonic` integer NOT NULL,
	FOREIGN KEY (`instance_id`) REFERENCES `instances`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
DROP TABLE `strays`;