ALTER TABLE `instances` RENAME COLUMN `click_key` TO `idempotency_key`;--> statement-breakpoint
DROP INDEX `instances_click_key_unique`;--> statement-breakpoint
CREATE UNIQUE INDEX `instances_idempotency_key_unique` ON `instances` (`idempotency_key`);--> statement-breakpoint
ALTER TABLE `instances` ADD `idempotency_digest` text;
