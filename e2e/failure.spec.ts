import { arm, cloud, expect, spawn, stepOf, test, waitUntilRunning } from "./fixtures.ts";

test("DigitalOcean refuses: a sentence, Retry, and it goes on", async ({ page, request }) => {
  await arm(request, {
    match: { method: "POST", path: "/v2/droplets" },
    times: 1,
    kind: "status",
    status: 422,
    message: "creating this/these droplet(s) will exceed your droplet limit",
  });
  await spawn(page, { company: "Fjord and Field", slug: "fjord" });
  await expect(page.getByRole("main").getByText("Failed", { exact: true }).first()).toBeVisible({
    timeout: 30_000,
  });
  await expect(stepOf(page, "Request a droplet")).toContainText("Failed");
  await expect(page.getByRole("region", { name: "What went wrong" })).toContainText(
    /“Request a droplet” failed\. Retry continues from this step\..*The instance has no droplet\./s,
  );
  await expect(page.getByRole("region", { name: "What went wrong" })).toContainText(
    "the droplet limit of this account is reached",
  );
  await page.goto("/outbox");
  await expect(page.getByRole("button", { name: /Fjord and Field: Spawn failed/ })).toHaveCount(1);
  await page.goto("/instances/fjord");
  await page.getByRole("button", { name: "Retry" }).click();
  await waitUntilRunning(page);
});

test("too many requests, and a server that is ill for a moment, are only slower", async ({
  page,
  request,
}) => {
  await arm(request, {
    match: { method: "GET", path: "/v2/droplets" },
    times: 2,
    kind: "status",
    status: 500,
  });
  await arm(request, {
    match: { method: "POST", path: "/v2/droplets" },
    times: 1,
    kind: "status-after-effect",
    status: 500,
  });
  await spawn(page, { company: "Lumen Dental", slug: "lumen" });
  await waitUntilRunning(page);
  const { droplets } = (await cloud(request, "/v2/droplets?per_page=200")) as {
    droplets: { name: string }[];
  };
  expect(droplets.filter((droplet) => droplet.name === "lumen.intranet.localhost")).toHaveLength(1);
});

test("cancel leaves nothing behind that costs money", async ({ page, request }) => {
  await spawn(page, { company: "Harbour and Pine", slug: "harbour" });
  await expect(stepOf(page, "Provision with Ansible")).toContainText("Running", { timeout: 30_000 });
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("main").getByText("Destroyed", { exact: true }).first()).toBeVisible({
    timeout: 60_000,
  });
  await expect(stepOf(page, "Send the email")).toContainText("Cancelled");
  await expect(page.getByText("The droplet and the DNS record were removed. Nothing is left")).toBeVisible();
  await expect
    .poll(async () => {
      const { droplets } = (await cloud(request, "/v2/droplets?per_page=200")) as {
        droplets: { name: string }[];
      };
      return droplets.filter((droplet) => droplet.name === "harbour.intranet.localhost").length;
    })
    .toBe(0);
});

test("the form says what would be right, and loses nothing", async ({ page }) => {
  await page.goto("/instances/new");
  await page.getByLabel("Company").fill("Casa Verde Garden Centres");
  await expect(page.getByLabel("Slug")).toHaveValue("casa-verde-garden-centres");
  await page.getByLabel("Slug").fill("Acme_Bakery");
  await page.getByLabel("Contact email").fill("petra@acme");
  await page.getByRole("button", { name: "Spawn instance" }).click();
  await expect(page.getByRole("alert").first()).toContainText("3 fields to fix");
  await expect(page.getByLabel("Contact name")).toBeFocused();
  await page.getByRole("button", { name: "Use acme-bakery" }).click();
  await expect(page.getByLabel("Slug")).toHaveValue("acme-bakery");
  await page.reload();
  await expect(page.getByLabel("Company")).toHaveValue("Casa Verde Garden Centres");
  await expect(page.getByLabel("Contact email")).toHaveValue("petra@acme");
});
