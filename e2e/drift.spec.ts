import { eq } from "drizzle-orm";
import { instances } from "#db/schema.ts";
import { testAuthorization } from "#local-cloud/testing/testToken.ts";
import { instanceTag } from "#server/operations/steps/droplet.ts";
import {
  askIntranet,
  cloud,
  expect,
  noteDrift,
  spawn,
  test,
  waitForDone,
  waitUntilRunning,
  withDatabase,
} from "./fixtures.ts";
import { cloudUrl } from "./world.ts";

const rowOf = (slug: string) => {
  const row = withDatabase((db) => db.select().from(instances).where(eq(instances.slug, slug)).get());
  if (row === undefined) throw new Error(`no instance ${slug}`);
  return row;
};

test("an orphaned droplet is shown with its price, and deleted", async ({ page, request }) => {
  await spawn(page, { company: "Ensam Droppe", slug: "ensam" });
  await waitUntilRunning(page);
  const ownTag = instanceTag(rowOf("ensam").id);
  const made = await request.post(`${cloudUrl}/v2/droplets`, {
    headers: testAuthorization,
    data: {
      ...{ name: "left-behind", region: "fra1", size: "s-1vcpu-2gb", image: "debian-13-x64" },
      tags: ["spawner", ownTag],
    },
  });
  const { droplet } = await made.json();
  // As a round would note it once the droplet is ten minutes old.
  noteDrift(
    "ensam",
    {
      ...{ type: "orphaned-droplet", dropletId: droplet.id, name: "left-behind" },
      ...{ createdAt: Date.now(), ownTag, isAdoptable: false },
    },
    1200,
  );
  await page.goto("/");
  await page.getByRole("link", { name: "Drift 1 difference" }).click();
  await expect(page.getByRole("heading", { name: "Drift", level: 1 })).toBeVisible();
  await expect(page.getByRole("main")).toContainText("1 orphan costs $12.00 a month.");
  await page
    .getByRole("region", { name: "Orphaned" })
    .getByRole("button", { name: "Delete droplet left-behind" })
    .click();
  const dialog = page.getByRole("alertdialog");
  await expect(dialog).toContainText("Everything on it is lost");
  await dialog.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page).toHaveURL(/operation=/);
  await waitForDone(page, "Delete it at DigitalOcean");
  const asked = await request.get(`${cloudUrl}/v2/droplets/${droplet.id}`, { headers: testAuthorization });
  expect(asked.status()).toBe(404);
  await page.goto("/drift");
  await expect(page.getByText("DigitalOcean matches our records.")).toBeVisible();
});

test("a DNS record that somebody deleted is repaired: the intranet answers again", async ({
  page,
  request,
}) => {
  await spawn(page, { company: "Borta Namn", slug: "borta" });
  await waitUntilRunning(page);
  const { domain, ipAddress: address } = rowOf("borta");
  const list = await cloud(request, `/v2/domains/${domain}/records?name=borta.${domain}`);
  const [record] = list.domain_records as { id: number }[];
  await request.delete(`${cloudUrl}/v2/domains/${domain}/records/${record?.id}`, {
    headers: testAuthorization,
  });
  expect((await askIntranet(request, "borta", "/")).status()).not.toBe(200);
  noteDrift("borta", { type: "missing-record", domain, name: "borta", address: address ?? "" });
  await page.goto("/drift");
  await page.getByRole("button", { name: `Repair DNS record borta.${domain}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Repair", exact: true }).click();
  await expect(page).toHaveURL(/operation=/);
  await waitForDone(page, "Repair");
  await expect.poll(async () => (await askIntranet(request, "borta", "/")).status()).toBe(200);
});
