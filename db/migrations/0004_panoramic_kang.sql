DROP INDEX `mail_once`;--> statement-breakpoint
DROP INDEX `mail_once_by_instance`;--> statement-breakpoint
ALTER TABLE `mail` ADD `created_monotonic` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `mail` ADD `unclear_since` integer;--> statement-breakpoint
ALTER TABLE `mail` ADD `abandoned_at` integer;--> statement-breakpoint
CREATE INDEX `mail_unsent` ON `mail` (`due_at`) WHERE sent_at is null and abandoned_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX `mail_once` ON `mail` (`operation_id`,`kind`,`round`,`recipient`);--> statement-breakpoint
CREATE UNIQUE INDEX `mail_once_by_instance` ON `mail` (`instance_id`,`kind`,`round`,`recipient`);