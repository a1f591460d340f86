CREATE TABLE `workers` (
	`id` text PRIMARY KEY NOT NULL,
	`lease_until` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `steps` DROP COLUMN `claimed_until`;