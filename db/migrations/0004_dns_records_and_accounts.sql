CREATE TABLE `dns_records` (
	`id` integer PRIMARY KEY NOT NULL,
	`instance_id` text NOT NULL,
	`domain` text NOT NULL,
	`name` text NOT NULL,
	`address` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`instance_id`) REFERENCES `instances`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `dns_records_by_instance` ON `dns_records` (`instance_id`);--> statement-breakpoint
CREATE INDEX `dns_records_by_name` ON `dns_records` (`domain`,`name`);--> statement-breakpoint
ALTER TABLE `instances` ADD `account_id` text;--> statement-breakpoint
ALTER TABLE `instances` ADD `droplet_missing_since` integer;--> statement-breakpoint
ALTER TABLE `instances` ADD `droplet_gone_at` integer;