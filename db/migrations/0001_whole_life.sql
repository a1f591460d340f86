CREATE TABLE `aliases` (
	`id` text PRIMARY KEY NOT NULL,
	`instance_id` text NOT NULL,
	`slug` text NOT NULL,
	`domain` text NOT NULL,
	`role` text NOT NULL,
	`expires_at` integer,
	FOREIGN KEY (`instance_id`) REFERENCES `instances`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `aliases_address` ON `aliases` (`slug`,`domain`);--> statement-breakpoint
CREATE TABLE `backups` (
	`id` text PRIMARY KEY NOT NULL,
	`instance_id` text NOT NULL,
	`operation_id` text NOT NULL,
	`reason` text NOT NULL,
	`state` text NOT NULL,
	`key` text NOT NULL,
	`bytes` integer,
	`sha256` text,
	`version` text NOT NULL,
	`contents` text,
	`created_at` integer NOT NULL,
	`taken_at` integer,
	`verified_at` integer,
	`proven_at` integer,
	`proven_in_ms` integer,
	`proof_failure` text,
	`removed_at` integer,
	FOREIGN KEY (`instance_id`) REFERENCES `instances`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `backups_by_instance` ON `backups` (`instance_id`,`created_at`);--> statement-breakpoint
CREATE TABLE `snapshots` (
	`id` integer PRIMARY KEY NOT NULL,
	`instance_id` text NOT NULL,
	`operation_id` text NOT NULL,
	`name` text NOT NULL,
	`size_gb` real NOT NULL,
	`taken_at` integer NOT NULL,
	`removed_at` integer,
	FOREIGN KEY (`instance_id`) REFERENCES `instances`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `snapshots_by_instance` ON `snapshots` (`instance_id`);--> statement-breakpoint
PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_variables` (
	`instance_id` text NOT NULL,
	`set` integer DEFAULT 1 NOT NULL,
	`name` text NOT NULL,
	`value` text NOT NULL,
	`secret` integer NOT NULL,
	`system` integer DEFAULT false NOT NULL,
	`position` integer NOT NULL,
	`set_at` integer NOT NULL,
	PRIMARY KEY(`instance_id`, `set`, `name`),
	FOREIGN KEY (`instance_id`) REFERENCES `instances`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
INSERT INTO `__new_variables`("instance_id", "set", "name", "value", "secret", "system", "position", "set_at") SELECT "instance_id", 1, "name", "value", "secret", "system", "position", "set_at" FROM `variables`;--> statement-breakpoint
DROP TABLE `variables`;--> statement-breakpoint
ALTER TABLE `__new_variables` RENAME TO `variables`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE TABLE `__new_mail` (
	`id` text PRIMARY KEY NOT NULL,
	`operation_id` text,
	`instance_id` text,
	`kind` text NOT NULL,
	`round` integer NOT NULL,
	`recipient` text NOT NULL,
	`subject` text DEFAULT '' NOT NULL,
	`html` text DEFAULT '' NOT NULL,
	`text` text DEFAULT '' NOT NULL,
	`created_at` integer NOT NULL,
	`sent_at` integer,
	`provider_id` text,
	`attempts` integer DEFAULT 0 NOT NULL,
	`due_at` integer NOT NULL,
	`failure` text,
	FOREIGN KEY (`operation_id`) REFERENCES `operations`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`instance_id`) REFERENCES `instances`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
INSERT INTO `__new_mail`("id", "operation_id", "instance_id", "kind", "round", "recipient", "subject", "html", "text", "created_at", "sent_at", "provider_id", "attempts", "due_at", "failure") SELECT "id", "operation_id", NULL, "kind", "round", "recipient", "subject", "html", "text", "created_at", "sent_at", "provider_id", "attempts", "due_at", "failure" FROM `mail`;--> statement-breakpoint
DROP TABLE `mail`;--> statement-breakpoint
ALTER TABLE `__new_mail` RENAME TO `mail`;--> statement-breakpoint
CREATE UNIQUE INDEX `mail_once` ON `mail` (`operation_id`,`kind`,`round`);--> statement-breakpoint
CREATE UNIQUE INDEX `mail_once_by_instance` ON `mail` (`instance_id`,`kind`,`round`);--> statement-breakpoint
ALTER TABLE `instances` ADD `variable_set` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `instances` ADD `is_protected` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `instances` ADD `kept_until` integer;--> statement-breakpoint
ALTER TABLE `instances` ADD `purged_at` integer;--> statement-breakpoint
ALTER TABLE `instances` ADD `backup_plan` text DEFAULT '{"every":"never","at":"03:00","weekday":0,"timeZone":"Europe/Berlin","keepCount":14,"keepDays":60,"proveEvery":"never","setAt":0}' NOT NULL;--> statement-breakpoint
ALTER TABLE `instances` ADD `next_backup_at` integer;--> statement-breakpoint
ALTER TABLE `instances` ADD `next_proof_at` integer;--> statement-breakpoint
ALTER TABLE `operations` ADD `status_before` text DEFAULT 'running' NOT NULL;--> statement-breakpoint
ALTER TABLE `operations` ADD `batch_id` text;--> statement-breakpoint
CREATE INDEX `operations_by_batch` ON `operations` (`batch_id`);--> statement-breakpoint
INSERT INTO `snapshots` (`id`, `instance_id`, `operation_id`, `name`, `size_gb`, `taken_at`) SELECT `snapshot_id`, `id`, '', `slug` || '-final', 0, `snapshot_at` FROM `instances` WHERE `snapshot_id` IS NOT NULL AND `snapshot_at` IS NOT NULL;--> statement-breakpoint
UPDATE `instances` SET `kept_until` = `destroyed_at` + 5184000000 WHERE `destroyed_at` IS NOT NULL;
