ALTER TABLE `instances` ADD `sort_name` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `instances` ADD `search_name` text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX `instances_by_group` ON `instances` (case status when 'spawning' then 1 when 'running' then 2 when 'backing-up' then 1 when 'restoring' then 1 when 'updating' then 1 when 'destroying' then 1 when 'destroyed' then 3 when 'failed' then 0 when 'unreachable' then 0 when 'off' then 2 end,`sort_name`,`id`);--> statement-breakpoint
CREATE INDEX `instances_by_status` ON `instances` (`status`,`sort_name`,`id`);--> statement-breakpoint
CREATE INDEX `instances_sums` ON `instances` (`status`,`droplet_id`,`droplet_gone_at`,`price_monthly_cents`);--> statement-breakpoint
CREATE INDEX `aliases_by_instance` ON `aliases` (`instance_id`);--> statement-breakpoint
CREATE INDEX `backups_there` ON `backups` (`sequence`) WHERE state in ('running', 'good', 'failed');--> statement-breakpoint
CREATE INDEX `backups_there_by_instance` ON `backups` (`instance_id`,`sequence`) WHERE state in ('running', 'good', 'failed');--> statement-breakpoint
CREATE INDEX `backups_sums` ON `backups` (`bytes`,`state`,`restore_tested_at`,`restore_test_failure`) WHERE state in ('running', 'good', 'failed');--> statement-breakpoint
CREATE INDEX `backups_good` ON `backups` (`instance_id`,`taken_at`) WHERE state = 'good';--> statement-breakpoint
CREATE INDEX `operations_by_kind` ON `operations` (`kind`,`state`,`ended_at`);--> statement-breakpoint
CREATE INDEX `operations_by_instance_kind` ON `operations` (`instance_id`,`kind`,`state`);--> statement-breakpoint
CREATE INDEX `operations_failed` ON `operations` (`instance_id`,`sequence`) WHERE state = 'failed';