import { readFileSync, writeFileSync } from "node:fs";
import {
  expect,
  instanceUrl,
  post,
  postsOf,
  spawn,
  stepOf,
  test,
  waitForDone,
  waitUntilRunning,
} from "./fixtures.ts";

test("a backup brings back what was there, and a restore can be undone", async ({ page }) => {
  test.setTimeout(300_000);
  await spawn(page, { company: "Casa Lindgren", slug: "lindgren" });
  await waitUntilRunning(page);
  await post(page, "lindgren", "Before the backup");
  await page.goto("/instances/lindgren");
  await page.getByRole("button", { name: "Back up now" }).click();
  await expect(stepOf(page, "Dump the data with Ansible")).toBeVisible();
  await waitForDone(page, "Verify it");
  await post(page, "lindgren", "After the backup");

  await page.goto("/instances/lindgren?tab=backups");
  await expect(page.getByText("Good: verified")).toHaveCount(1);
  await page.getByRole("button", { name: "Restore" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
  await expect(stepOf(page, "Back up what is there now")).toBeVisible();
  await waitForDone(page, "Wait for the intranet to answer");
  await page.goto(instanceUrl("lindgren"));
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("Before the backup");
  await expect(page.getByRole("list", { name: "Timeline" })).not.toContainText("After the backup");

  // The safety backup that the restore made first holds what was written after.
  await page.goto("/instances/lindgren?tab=backups");
  const safety = page.getByRole("listitem").filter({ hasText: "Before a restore" });
  await safety.getByRole("button", { name: "Restore" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
  await expect(stepOf(page, "Put the backup's data back")).toBeVisible();
  await waitForDone(page, "Wait for the intranet to answer");
  await page.goto(instanceUrl("lindgren"));
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("After the backup");
});

test("a backup is test-restored to a throwaway droplet, and becomes a new instance", async ({
  page,
  request,
}) => {
  test.setTimeout(300_000);
  await spawn(page, { company: "Ostra Bageri", slug: "ostra" });
  await waitUntilRunning(page);
  await post(page, "ostra", "To be found elsewhere");
  await page.goto("/instances/ostra");
  await page.getByRole("button", { name: "Back up now" }).click();
  await waitForDone(page, "Verify it");

  await page.goto("/backups");
  const row = page.getByRole("listitem").filter({ hasText: "Ostra Bageri" });
  await row.getByRole("button", { name: /^More actions for the backup/ }).click();
  await page.getByRole("menuitem", { name: "Test restore" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Test restore" }).click();
  await waitForDone(page, "Destroy the temporary droplet");
  await page.goto("/backups");
  await expect(row).toContainText("Restore tested");

  await row.getByRole("button", { name: /^More actions for the backup/ }).click();
  await page.getByRole("menuitem", { name: "Restore as a new instance" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Company").fill("Västra Bageri");
  await expect(dialog.getByLabel("Slug")).toHaveValue("vastra-bageri");
  await dialog.getByRole("button", { name: "Restore as a new instance" }).click();
  await expect(page).toHaveURL(/vastra-bageri/);
  await waitUntilRunning(page);
  await page.goto(instanceUrl("vastra-bageri"));
  await expect(page.getByRole("heading", { name: "Västra Bageri" }).first()).toBeVisible();
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("To be found elsewhere");
  expect((await request.get("/api/trpc/backups.list")).status()).toBe(401);
});

test("a backup the intranet cannot come up with is taken back by itself", async ({ page }) => {
  test.setTimeout(240_000);
  await spawn(page, { company: "Skövde Plåt", slug: "skovde" });
  await waitUntilRunning(page);
  await post(page, "skovde", "Still here");
  // The backup holds what no intranet can read: damaged on the droplet while it was dumped, and put right after.
  const good = readFileSync(postsOf("skovde"));
  writeFileSync(postsOf("skovde"), "not a list of posts");
  await page.goto("/instances/skovde");
  await page.getByRole("button", { name: "Back up now" }).click();
  await waitForDone(page, "Verify it");
  writeFileSync(postsOf("skovde"), good);

  await page.goto("/instances/skovde?tab=backups");
  await page.getByRole("button", { name: "Restore" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
  await expect(stepOf(page, "Put the backup's data back")).toContainText("Failed", { timeout: 120_000 });
  await expect(stepOf(page, "Put the previous data back")).toContainText("Done", { timeout: 90_000 });
  await waitUntilRunning(page);
  await page.goto(instanceUrl("skovde"));
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("Still here");
});

test("a plan for backups is saved, says when the next one is made, and refuses what cannot be", async ({
  page,
}) => {
  await spawn(page, { company: "Dag och Natt", slug: "dag" });
  await waitUntilRunning(page);
  await page.goto("/instances/dag?tab=backups");
  await expect(page.getByText("No backups scheduled.")).toBeVisible();
  await page.getByLabel("Frequency", { exact: true }).selectOption("day");
  await page.getByLabel("Time", { exact: true }).fill("03:30");
  await page.getByLabel("Time zone").fill("Mars/Base");
  await page.getByRole("button", { name: "Save schedule" }).click();
  await expect(page.getByText("Enter a time zone such as Europe/Berlin.")).toBeVisible();
  await expect(page.getByText("No backups scheduled.")).toBeVisible();
  await page.getByLabel("Time zone").fill("Europe/Stockholm");
  await page.getByLabel("Backups to keep").fill("7");
  await page.getByRole("button", { name: "Save schedule" }).click();
  await expect(page.getByText("Saved.")).toBeVisible();
  await page.reload();
  await expect(page.getByText("Next backup:")).toBeVisible();
  await expect(page.getByLabel("Time", { exact: true })).toHaveValue("03:30");
  await expect(page.getByLabel("Backups to keep")).toHaveValue("7");
});
