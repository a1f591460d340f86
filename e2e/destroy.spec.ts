import { askIntranet, cloud, expect, spawn, stepOf, test, waitUntilRunning } from "./fixtures.ts";

test("destroy: snapshot first, then the record, then the droplet", async ({ page, request }) => {
  await spawn(page, { company: "Tannhof Hotels", slug: "tannhof" });
  await waitUntilRunning(page);
  await page.goto("/instances/tannhof");
  await page.getByRole("button", { name: "Destroy instance" }).click();
  const dialog = page.getByRole("alertdialog");
  await expect(dialog).toContainText("snapshot");
  // What destroys isn't closed by a click outside.
  await page.mouse.click(5, 5);
  await dialog.getByLabel("Type tannhof to confirm").fill("tannho");
  // It can be reached but does nothing yet: forced, because a person may press it all the same.
  await dialog.getByRole("button", { name: "Destroy instance" }).click({ force: true });
  await expect(dialog).toBeVisible();
  await dialog.getByLabel("Type tannhof to confirm").fill("tannhof");
  await dialog.getByRole("button", { name: "Destroy instance" }).click();
  await expect(stepOf(page, "Take a snapshot")).toBeVisible();
  await expect(page.getByRole("main").getByText("Destroyed", { exact: true }).first()).toBeVisible({
    timeout: 60_000,
  });
  for (const label of ["Take a snapshot", "Remove the DNS record", "Destroy the droplet"])
    await expect(stepOf(page, label)).toContainText("Done");

  const { snapshots } = (await cloud(request, "/v2/snapshots?per_page=200")) as {
    snapshots: { name: string }[];
  };
  expect(snapshots.filter((snapshot) => snapshot.name.startsWith("tannhof-final-"))).toHaveLength(1);
  expect((await askIntranet(request, "tannhof", "/healthz")).status()).toBe(404);
  // The page stays, and the list shows it among the destroyed ones.
  await page.goto("/instances/tannhof");
  await expect(page.getByRole("heading", { name: "Tannhof Hotels", level: 1 })).toBeVisible();
  await page.goto("/");
  await page.getByRole("button", { name: /^Destroyed/ }).click();
  await expect(page.getByRole("link", { name: "Tannhof Hotels" })).toBeVisible();
  // Its address is free again at once.
  await page.goto("/instances/new");
  await page.getByLabel("Slug").fill("tannhof");
  await expect(page.getByText("is available.")).toBeVisible();
  // Who did it stays written down.
  await page.goto("/activity");
  await page.getByLabel("Search").fill("destroyed tannhof");
  const deed = page.getByRole("main").getByRole("listitem");
  await expect(deed).toHaveCount(1);
  await expect(deed).toContainText("Joe");
  await deed.getByRole("link", { name: "destroyed Tannhof Hotels" }).click();
  await expect(stepOf(page, "Take a snapshot")).toBeVisible();
});
