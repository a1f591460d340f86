DROP INDEX `backups_by_instance`;--> statement-breakpoint
ALTER TABLE `backups` ADD `sequence` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `backups_by_sequence` ON `backups` (`sequence`);--> statement-breakpoint
CREATE INDEX `backups_by_instance` ON `backups` (`instance_id`,`sequence`);--> statement-breakpoint
DROP INDEX `operations_by_instance`;--> statement-breakpoint
ALTER TABLE `operations` ADD `sequence` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `operations_by_sequence` ON `operations` (`sequence`);--> statement-breakpoint
CREATE INDEX `operations_by_instance` ON `operations` (`instance_id`,`sequence`);--> statement-breakpoint
ALTER TABLE `snapshots` ADD `sequence` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `snapshots_by_sequence` ON `snapshots` (`sequence`);--> statement-breakpoint
ALTER TABLE `steps` ADD `started_monotonic` integer;--> statement-breakpoint
UPDATE `operations` SET `sequence` = `rowid`;--> statement-breakpoint
UPDATE `backups` SET `sequence` = `rowid`;--> statement-breakpoint
UPDATE `snapshots` SET `sequence` = `o`.`n` FROM (SELECT `id`, row_number() OVER (ORDER BY `taken_at`, `id`) AS `n` FROM `snapshots`) AS `o` WHERE `o`.`id` = `snapshots`.`id`;--> statement-breakpoint
UPDATE `steps` SET `started_monotonic` = `started_at`;
