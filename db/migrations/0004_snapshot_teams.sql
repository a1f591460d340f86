ALTER TABLE `snapshots` ADD `account_id` text;--> statement-breakpoint
UPDATE `snapshots` SET `account_id` = `i`.`account_id` FROM `instances` AS `i` WHERE `i`.`id` = `snapshots`.`instance_id`;
