CREATE TABLE `audit` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`who` text NOT NULL,
	`what` text NOT NULL,
	`instance_id` text,
	`operation_id` text
);
--> statement-breakpoint
CREATE INDEX `audit_by_instance` ON `audit` (`instance_id`,`id`);--> statement-breakpoint
CREATE TABLE `events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`instance_id` text NOT NULL,
	`operation_id` text,
	`step` text,
	`data` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `events_by_operation` ON `events` (`operation_id`,`id`);--> statement-breakpoint
CREATE TABLE `instances` (
	`id` text PRIMARY KEY NOT NULL,
	`click_key` text NOT NULL,
	`company` text NOT NULL,
	`contact_name` text NOT NULL,
	`contact_email` text NOT NULL,
	`slug` text NOT NULL,
	`domain` text NOT NULL,
	`region` text NOT NULL,
	`size` text NOT NULL,
	`price_monthly_cents` integer NOT NULL,
	`version` text NOT NULL,
	`status` text NOT NULL,
	`droplet_id` integer,
	`address` text,
	`host_key` text,
	`created_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`destroyed_at` integer,
	`answered_at` integer,
	`answered_in_ms` integer,
	`silent_since` integer,
	`snapshot_id` integer,
	`snapshot_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `instances_click_key_unique` ON `instances` (`click_key`);--> statement-breakpoint
CREATE UNIQUE INDEX `instances_live_address` ON `instances` (`slug`,`domain`) WHERE destroyed_at is null;--> statement-breakpoint
CREATE INDEX `instances_by_slug` ON `instances` (`slug`,`created_at`);--> statement-breakpoint
CREATE TABLE `mail` (
	`id` text PRIMARY KEY NOT NULL,
	`operation_id` text NOT NULL,
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
	FOREIGN KEY (`operation_id`) REFERENCES `operations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `mail_once` ON `mail` (`operation_id`,`kind`,`round`);--> statement-breakpoint
CREATE TABLE `operations` (
	`id` text PRIMARY KEY NOT NULL,
	`instance_id` text NOT NULL,
	`kind` text NOT NULL,
	`state` text NOT NULL,
	`mutating` integer DEFAULT true NOT NULL,
	`round` integer DEFAULT 0 NOT NULL,
	`facts` text NOT NULL,
	`failure` text,
	`created_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`ended_at` integer,
	`cancel_requested_at` integer,
	FOREIGN KEY (`instance_id`) REFERENCES `instances`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `operations_one_live` ON `operations` (`instance_id`) WHERE mutating = 1 and state in ('running', 'cancelling');--> statement-breakpoint
CREATE INDEX `operations_by_instance` ON `operations` (`instance_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `operations_by_state` ON `operations` (`state`);--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`revoked_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `sessions_by_user` ON `sessions` (`user_id`);--> statement-breakpoint
CREATE TABLE `settings` (
	`name` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `sign_in_failures` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `sign_in_failures_by_key` ON `sign_in_failures` (`key`,`at`);--> statement-breakpoint
CREATE TABLE `steps` (
	`operation_id` text NOT NULL,
	`name` text NOT NULL,
	`label` text NOT NULL,
	`position` integer NOT NULL,
	`fork` integer,
	`branch` integer,
	`undo` integer DEFAULT false NOT NULL,
	`state` text NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`fence` integer DEFAULT 0 NOT NULL,
	`claimed_by` text,
	`claimed_until` integer,
	`due_at` integer NOT NULL,
	`queued_at` integer,
	`started_at` integer,
	`ended_at` integer,
	`progress` text,
	`failure` text,
	PRIMARY KEY(`operation_id`, `name`),
	FOREIGN KEY (`operation_id`) REFERENCES `operations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `steps_by_state` ON `steps` (`state`,`name`);--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`email` text NOT NULL,
	`name` text NOT NULL,
	`password_hash` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_email_unique` ON `users` (`email`);--> statement-breakpoint
CREATE TABLE `variables` (
	`instance_id` text NOT NULL,
	`name` text NOT NULL,
	`value` text NOT NULL,
	`secret` integer NOT NULL,
	`system` integer DEFAULT false NOT NULL,
	`position` integer NOT NULL,
	`set_at` integer NOT NULL,
	PRIMARY KEY(`instance_id`, `name`),
	FOREIGN KEY (`instance_id`) REFERENCES `instances`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `wake_ups` (
	`operation_id` text PRIMARY KEY NOT NULL,
	`due_at` integer NOT NULL,
	`sent_at` integer,
	FOREIGN KEY (`operation_id`) REFERENCES `operations`(`id`) ON UPDATE no action ON DELETE no action
);
