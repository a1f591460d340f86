import { expect, spawn, test, waitUntilRunning } from "./fixtures.ts";

test("many at once: one confirmation, one page that shows all of them", async ({ page }) => {
  test.setTimeout(300_000);
  const companies = ["Trio Ett", "Trio Två", "Trio Tre"];
  const slugs = ["trio-ett", "trio-tva", "trio-tre"];
  for (const [index, company] of companies.entries())
    await spawn(page, { company, slug: slugs[index] ?? "" });
  for (const slug of slugs) {
    await page.goto(`/instances/${slug}`);
    await waitUntilRunning(page);
  }
  await page.goto("/");
  for (const company of companies) await page.getByLabel(`Select ${company}`).check();
  const bar = page.getByRole("region", { name: "Selection" });
  await expect(bar).toContainText("3 selected");
  await bar.getByRole("button", { name: "Back up" }).click();
  await page.waitForURL(/\/together\//);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Back up 3 instances");
  await expect(page.getByText("3 of 3 done")).toBeVisible({ timeout: 90_000 });

  await page.goto("/");
  for (const company of companies) await page.getByLabel(`Select ${company}`).check();
  await bar.getByRole("button", { name: "Destroy" }).click();
  const dialog = page.getByRole("alertdialog");
  await expect(dialog.getByRole("list", { name: "To be destroyed" }).getByRole("listitem")).toHaveCount(3);
  await dialog.getByLabel("Type 3 to confirm").fill("3");
  await dialog.getByRole("button", { name: "Destroy" }).click();
  await page.waitForURL(/\/together\//);
  await expect(page.getByText("3 of 3 done")).toBeVisible({ timeout: 90_000 });
});

test("what is protected cannot be destroyed until the protection is taken away", async ({ page }) => {
  await spawn(page, { company: "Vaktbolaget", slug: "vakt" });
  await waitUntilRunning(page);
  await page.goto("/instances/vakt?tab=settings");
  await page.getByRole("button", { name: "Protect it" }).click();
  await expect(page.getByRole("button", { name: "Take the protection away" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Destroy instance" })).toHaveAttribute(
    "aria-disabled",
    "true",
  );
  await page.getByRole("button", { name: "Take the protection away" }).click();
  await expect(page.getByRole("button", { name: "Destroy instance" })).not.toHaveAttribute(
    "aria-disabled",
    "true",
  );
});
