import {
  destroy,
  expect,
  instanceUrl,
  post,
  spawn,
  test,
  waitForStatus,
  waitUntilRunning,
} from "./fixtures.ts";

test("what was destroyed comes back with its posts and variables, and can be removed for good", async ({
  page,
}) => {
  test.setTimeout(240_000);
  await spawn(page, {
    company: "Hallgren Optik",
    slug: "hallgren",
    variables: [{ name: "LOCALE", value: "sv-SE" }],
  });
  await waitUntilRunning(page);
  await post(page, "hallgren", "Written before it was destroyed");
  await destroy(page, "hallgren");

  await page.getByRole("button", { name: "Bring back" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Bring back" }).click();
  await waitForStatus(page, "Restoring");
  await waitUntilRunning(page);
  await page.goto(instanceUrl("hallgren"));
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("Written before it was destroyed");
  await page.goto("/outbox");
  await expect(page.getByRole("button", { name: /Your intranet is ready: Hallgren Optik/ })).toHaveCount(2);

  // Its slug is taken while it is away: Joe is asked for another one.
  await destroy(page, "hallgren");
  const first = page.url();
  await spawn(page, { company: "Hallgren Bygg", slug: "hallgren" });
  await waitUntilRunning(page);
  await page.goto(first.replace(/&operation=.*/, ""));
  await page.getByRole("button", { name: "Bring back" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("is taken now");
  await dialog.getByLabel("Slug").fill("hallgren-optik");
  await dialog.getByRole("button", { name: "Bring back" }).click();
  await expect(page).toHaveURL(/\/instances\/hallgren-optik/);
  await waitUntilRunning(page);
  await page.goto(instanceUrl("hallgren-optik"));
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("Written before it was destroyed");

  await destroy(page, "hallgren-optik");
  await page.getByRole("button", { name: "Remove for good" }).click();
  await page.getByLabel("Type hallgren-optik to confirm").fill("hallgren-optik");
  await page.getByRole("alertdialog").getByRole("button", { name: "Remove for good" }).click();
  await expect(page.getByRole("list", { name: "Steps" })).toContainText("Remove the backups");
  await page.goto("/instances/hallgren-optik");
  await expect(page.getByRole("button", { name: "Bring back" })).toHaveAttribute("aria-disabled", "true");
  await page.getByRole("link", { name: "Activity" }).last().click();
  await expect(page.getByText("removed the snapshots and backups of Hallgren Optik for good")).toBeVisible();
});
