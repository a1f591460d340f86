import { expect, pressSpawn, spawn, test, waitUntilRunning } from "./fixtures.ts";

const count = 8;
const companies = Array.from({ length: count }, (_, index) => `Många ${String.fromCharCode(65 + index)}`);

test("eight at once: one confirmation, one page that shows all of them", async ({ page }) => {
  test.setTimeout(600_000);
  for (const [index, company] of companies.entries())
    expect((await pressSpawn(page, { company, slug: `manga-${index}` })).status()).toBe(200);
  const rows = (status: string) =>
    page.getByRole("listitem").filter({ hasText: "Många" }).filter({ hasText: status });
  await page.goto("/");
  await page.getByLabel("Search").fill("Många");
  await expect(rows("Running")).toHaveCount(count, { timeout: 300_000 });

  await page.getByLabel("Select all").check();
  const bar = page.getByRole("region", { name: "Selection" });
  await expect(bar).toContainText(`${count} selected`);
  await bar.getByRole("button", { name: "Back up" }).click();
  await expect(page).toHaveURL(/\/batches\//);
  await expect(page.getByRole("main")).toBeFocused();
  const backups = page.url();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(`Back up ${count} instances`);
  await expect(page.getByText(`${count} of ${count} done`)).toBeVisible({ timeout: 300_000 });

  await page.goto("/");
  await page.getByLabel("Search").fill("Många");
  await page.getByLabel("Select all").check();
  await bar.getByRole("button", { name: "Destroy" }).click();
  const dialog = page.getByRole("alertdialog");
  await expect(dialog.getByRole("list", { name: "Instances to destroy" }).getByRole("listitem")).toHaveCount(
    count,
  );
  await dialog.getByLabel(`Type ${count} to confirm`).fill(String(count));
  await dialog.getByRole("button", { name: "Destroy" }).click();
  await expect(page).toHaveURL((url) => /\/batches\//.test(url.pathname) && url.href !== backups);
  await expect(page.getByText(`${count} of ${count} done`)).toBeVisible({ timeout: 300_000 });

  // Its address keeps showing what was begun there, whatever came after.
  await page.goto(backups);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(`Back up ${count} instances`);
  await expect(page.getByText(`${count} of ${count} done`)).toBeVisible();
});

test("a protected instance cannot be destroyed until protection is removed", async ({ page }) => {
  await spawn(page, { company: "Vaktbolaget", slug: "vakt" });
  await waitUntilRunning(page);
  await page.goto("/instances/vakt?tab=settings");
  await page.getByRole("button", { name: "Protect instance" }).click();
  await expect(page.getByRole("button", { name: "Remove protection" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Destroy instance" })).toHaveAttribute(
    "aria-disabled",
    "true",
  );
  await page.getByRole("button", { name: "Remove protection" }).click();
  await expect(page.getByRole("button", { name: "Destroy instance" })).not.toHaveAttribute(
    "aria-disabled",
    "true",
  );
});
