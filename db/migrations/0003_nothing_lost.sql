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
CREATE TABLE `workers` (
	`id` text PRIMARY KEY NOT NULL,
	`lease_until` integer NOT NULL
);
--> statement-breakpoint
DROP TABLE `strays`;--> statement-breakpoint
DROP INDEX `backups_by_instance`;--> statement-breakpoint
ALTER TABLE `backups` ADD `sequence` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `backups_by_sequence` ON `backups` (`sequence`);--> statement-breakpoint
CREATE INDEX `backups_by_instance` ON `backups` (`instance_id`,`sequence`);--> statement-breakpoint
DROP INDEX `mail_once`;--> statement-breakpoint
DROP INDEX `mail_once_by_instance`;--> statement-breakpoint
ALTER TABLE `mail` ADD `created_monotonic` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `mail` ADD `unclear_since` integer;--> statement-breakpoint
ALTER TABLE `mail` ADD `abandoned_at` integer;--> statement-breakpoint
CREATE INDEX `mail_unsent` ON `mail` (`due_at`) WHERE sent_at is null and abandoned_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX `mail_once` ON `mail` (`operation_id`,`kind`,`round`,`recipient`);--> statement-breakpoint
CREATE UNIQUE INDEX `mail_once_by_instance` ON `mail` (`instance_id`,`kind`,`round`,`recipient`);--> statement-breakpoint
DROP INDEX `operations_by_instance`;--> statement-breakpoint
ALTER TABLE `operations` ADD `sequence` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `operations_by_sequence` ON `operations` (`sequence`);--> statement-breakpoint
CREATE INDEX `operations_by_instance` ON `operations` (`instance_id`,`sequence`);--> statement-breakpoint
ALTER TABLE `instances` ADD `account_id` text;--> statement-breakpoint
ALTER TABLE `instances` ADD `droplet_missing_since` integer;--> statement-breakpoint
ALTER TABLE `instances` ADD `droplet_gone_at` integer;--> statement-breakpoint
ALTER TABLE `snapshots` ADD `sequence` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `snapshots` ADD `answered` integer DEFAULT true NOT NULL;--> statement-breakpoint
CREATE INDEX `snapshots_by_sequence` ON `snapshots` (`sequence`);--> statement-breakpoint
ALTER TABLE `steps` ADD `started_monotonic` integer;--> statement-breakpoint
ALTER TABLE `steps` DROP COLUMN `claimed_until`;--> statement-breakpoint
UPDATE `operations` SET `sequence` = `rowid`;--> statement-breakpoint
UPDATE `backups` SET `sequence` = `rowid`;--> statement-breakpoint
UPDATE `snapshots` SET `sequence` = `o`.`n` FROM (SELECT `id`, row_number() OVER (ORDER BY `taken_at`, `id`) AS `n` FROM `snapshots`) AS `o` WHERE `o`.`id` = `snapshots`.`id`;--> statement-breakpoint
UPDATE `steps` SET `started_monotonic` = `started_at`;
--> statement-breakpoint
UPDATE `mail` SET `created_monotonic` = `created_at`;--> statement-breakpoint
-- What has been rendered has been handed over, and nobody knows whether it has arrived.
UPDATE `mail` SET `unclear_since` = `created_at` WHERE `sent_at` IS NULL AND `subject` <> '';--> statement-breakpoint
-- It was sent by its step alone: that of a cancelled operation never is.
UPDATE `mail` SET `abandoned_at` = `created_at`, `failure` = 'Cancelled before it was sent.'
	WHERE `sent_at` IS NULL AND `kind` = 'ready' AND `operation_id` IN (SELECT `id` FROM `operations` WHERE `state` = 'cancelled');--> statement-breakpoint
-- Operations that go on, or may: all their rounds so far have made one backup, named after the operation.
UPDATE `operations` SET `facts` = json_set(`facts`, '$.sharedUntil', `round`)
	WHERE `kind` IN ('backup', 'restore', 'upgrade') AND `state` IN ('running', 'cancelling', 'failed') AND EXISTS (
		SELECT 1 FROM `steps` WHERE `operation_id` = `operations`.`id` AND `name` = 'dump' AND `state` <> 'waiting'
	);--> statement-breakpoint
UPDATE `operations` SET `facts` = json_set(`facts`, '$.stored', json_object(`id`, json_object(
		'id', `id`,
		'key', `facts` ->> '$.dump.key',
		'bytes', `facts` ->> '$.dump.bytes',
		'sha256', `facts` ->> '$.dump.sha256',
		'files', `facts` ->> '$.dump.files',
		'tree', `facts` ->> '$.dump.tree',
		'version', coalesce(`facts` ->> '$.previousVersion', (SELECT `version` FROM `instances` WHERE `instances`.`id` = `instance_id`))
	))) WHERE `facts` -> '$.sharedUntil' IS NOT NULL AND `facts` -> '$.dump' IS NOT NULL;--> statement-breakpoint
UPDATE `operations` SET `facts` = json_set(`facts`, '$.verified', json_array(`id`))
	WHERE `facts` -> '$.sharedUntil' IS NOT NULL AND `facts` ->> '$.isVerified' = 1;--> statement-breakpoint
-- It leads back to that backup, unless nothing has been changed, or it has gone back already.
UPDATE `operations` SET `facts` = json_set(`facts`, '$.wayBack', json_set(json_extract(`facts`, '$.stored."' || `id` || '"'), '$.round', `round`))
	WHERE `kind` <> 'backup' AND `facts` -> '$.verified' IS NOT NULL AND `facts` -> '$.stored' IS NOT NULL AND (
		EXISTS (SELECT 1 FROM `steps` WHERE `operation_id` = `operations`.`id` AND `undo` AND `state` NOT IN ('done', 'skipped', 'cancelled'))
		OR `state` <> 'failed' AND NOT EXISTS (SELECT 1 FROM `steps` WHERE `operation_id` = `operations`.`id` AND `undo`)
	);--> statement-breakpoint
-- An upgrade puts the data back before the version now: where it was the other way round, the way back is planned anew.
UPDATE `operations` SET `state` = 'running', `round` = `round` + 1
	WHERE `kind` = 'upgrade' AND `state` IN ('running', 'cancelling') AND `facts` -> '$.wayBack' IS NOT NULL
	AND EXISTS (SELECT 1 FROM `steps` WHERE `operation_id` = `operations`.`id` AND `undo`);--> statement-breakpoint
DELETE FROM `steps` WHERE `undo` AND `operation_id` IN (
	SELECT `id` FROM `operations` WHERE `kind` = 'upgrade' AND `facts` -> '$.wayBack' IS NOT NULL
	AND (`state` = 'running' OR `state` = 'failed' AND `cancel_requested_at` IS NOT NULL)
);
