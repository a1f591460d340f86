DROP INDEX `operations_to_pack`;--> statement-breakpoint
CREATE INDEX `operations_to_pack` ON `operations` (`ended_at`) WHERE log_packed_at is null and ended_at is not null;