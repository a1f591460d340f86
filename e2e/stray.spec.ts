import { eq } from "drizzle-orm";
import { instances, strays } from "../db/schema.ts";
import { expect, spawn, test, waitForDone, waitUntilRunning, withDatabase } from "./fixtures.ts";
import { cloudUrl } from "./world.ts";

test("a droplet that belongs to no instance is shown with its price, and goes with one press", async ({
  page,
  request,
}) => {
  await spawn(page, { company: "Ensam Droppe", slug: "ensam" });
  await waitUntilRunning(page);
  await expect(page.getByRole("region", { name: "Stray droplets" })).toHaveCount(0);
  const made = await request.post(`${cloudUrl}/v2/droplets`, {
    headers: { authorization: "Bearer e2e" },
    data: { name: "left-behind", region: "fra1", size: "s-1vcpu-2gb", image: "debian-13-x64" },
  });
  const { droplet } = await made.json();
  // As the chore of each minute would note it once the droplet is ten minutes old.
  const note = () =>
    withDatabase((db) => {
      const instance = db.select().from(instances).where(eq(instances.slug, "ensam")).get();
      db.insert(strays)
        .values({
          ...{ dropletId: droplet.id, instanceId: instance?.id ?? "", name: "left-behind" },
          ...{ priceMonthly: 1200, createdAt: Date.now() },
        })
        .onConflictDoNothing()
        .run();
    });
  const region = page.getByRole("region", { name: "Stray droplets" });
  await expect(async () => {
    note();
    await page.goto("/");
    await expect(region).toContainText("1 droplet costs $12.00 a month and belongs to no instance.");
    await region.getByRole("button", { name: "Destroy droplet" }).click({ timeout: 2000 });
    await page
      .getByRole("alertdialog")
      .getByRole("button", { name: "Destroy droplet" })
      .click({ timeout: 2000 });
    await page.waitForURL(/operation=/, { timeout: 2000 });
  }).toPass({ timeout: 60_000 });
  await waitForDone(page, "Destroy the droplet");
  const asked = await request.get(`${cloudUrl}/v2/droplets/${droplet.id}`, {
    headers: { authorization: "Bearer e2e" },
  });
  expect(asked.status()).toBe(404);
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Instances", level: 1 })).toBeVisible();
  await expect(region).toHaveCount(0);
});
