CREATE TABLE `health_hours` (
	`instance_id` text NOT NULL,
	`hour` integer NOT NULL,
	`up` integer NOT NULL,
	`slow` integer NOT NULL,
	`down` integer NOT NULL,
	`median_ms` integer,
	`histogram` text NOT NULL,
	PRIMARY KEY(`instance_id`, `hour`),
	FOREIGN KEY (`instance_id`) REFERENCES `instances`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `health_hours_by_hour` ON `health_hours` (`hour`);