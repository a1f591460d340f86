CREATE INDEX `backups_removing` ON `backups` (`sequence`) WHERE state = 'removing';--> statement-breakpoint
CREATE INDEX `instances_next_backup` ON `instances` (`next_backup_at`);--> statement-breakpoint
CREATE INDEX `instances_next_restore_test` ON `instances` (`next_restore_test_at`);