ALTER TABLE `instances` RENAME COLUMN `address` TO `ip_address`;--> statement-breakpoint
ALTER TABLE `instances` RENAME COLUMN `next_proof_at` TO `next_restore_test_at`;--> statement-breakpoint
ALTER TABLE `backups` RENAME COLUMN `proven_at` TO `restore_tested_at`;--> statement-breakpoint
ALTER TABLE `backups` RENAME COLUMN `proven_in_ms` TO `restore_tested_in_ms`;--> statement-breakpoint
ALTER TABLE `backups` RENAME COLUMN `proof_failure` TO `restore_test_failure`;--> statement-breakpoint
ALTER TABLE `instances` ADD `renamed_plan` text DEFAULT '{"every":"never","at":"03:00","weekday":0,"timeZone":"Europe/Berlin","keepCount":14,"keepDays":60,"testRestoreEvery":"never","setAt":0}' NOT NULL;--> statement-breakpoint
UPDATE `instances` SET `renamed_plan` = json_remove(json_set(`backup_plan`, '$.testRestoreEvery', json_extract(`backup_plan`, '$.proveEvery')), '$.proveEvery');--> statement-breakpoint
ALTER TABLE `instances` DROP COLUMN `backup_plan`;--> statement-breakpoint
ALTER TABLE `instances` RENAME COLUMN `renamed_plan` TO `backup_plan`;--> statement-breakpoint
UPDATE `operations` SET `kind` = 'test-restore' WHERE `kind` = 'prove';--> statement-breakpoint
UPDATE `operations` SET `kind` = 'remove-orphaned-droplet' WHERE `kind` = 'remove-stray';--> statement-breakpoint
UPDATE `operations` SET `failure` = json_object('userMessage', json_extract(`failure`, '$.sentence'), 'detail', json_extract(`failure`, '$.detail')) WHERE `failure` IS NOT NULL;--> statement-breakpoint
UPDATE `steps` SET `failure` = json_object('userMessage', json_extract(`failure`, '$.sentence'), 'detail', json_extract(`failure`, '$.detail')) WHERE `failure` IS NOT NULL;--> statement-breakpoint
UPDATE `operations` SET `facts` = json_remove(json_set(`facts`,
  '$.size.priceMonthlyCents', json_extract(`facts`, '$.size.priceMonthly'),
  '$.previousSize.priceMonthlyCents', json_extract(`facts`, '$.previousSize.priceMonthly')),
  '$.size.priceMonthly', '$.previousSize.priceMonthly') WHERE `kind` = 'resize';--> statement-breakpoint
UPDATE `settings` SET `value` = json_remove(json_set(`value`, '$.failure.userMessage', json_extract(`value`, '$.failure.sentence')), '$.failure.sentence')
  WHERE json_extract(`value`, '$.failure.sentence') IS NOT NULL;
