import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  adminKey,
  askIntranet,
  cloud,
  expect,
  instanceUrl,
  processId,
  spawn,
  stepOf,
  test,
  waitUntilRunning,
} from "./fixtures.ts";

test("from one click to a running intranet", async ({ page, request }) => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it must arrive as it is
  const greeting = "Hej! \"Välkommen\" till 'Acme'\n$(id) `id` {{ lookup('pipe', 'id') }} ${HOME} 🥐\\ ";
  await spawn(page, {
    company: "Acme Bakery",
    slug: "acme",
    variables: [
      { name: "WELCOME_TEXT", value: greeting },
      { name: "SMTP_PASSWORD", value: "sup3r-s3cret-word", secret: true },
    ],
  });
  await expect(page.getByRole("heading", { name: "Acme Bakery", level: 1 })).toBeVisible();
  await expect(page.getByRole("list", { name: "Steps" }).getByRole("listitem")).toHaveCount(6);
  await expect(stepOf(page, "Provision with Ansible")).toContainText("Running", { timeout: 30_000 });
  await expect(page.getByRole("region", { name: "Log" })).toContainText("TASK [", { timeout: 30_000 });
  await waitUntilRunning(page);

  // The mail, exactly one, and its link.
  await page.goto("/outbox");
  await expect(page.getByText("Your intranet is ready").first()).toBeVisible();
  const health = await askIntranet(request, "acme", "/healthz");
  expect(await health.json()).toMatchObject({ status: "ok", version: "2.14.0" });

  // The intranet: the customer's name, and a post that stays.
  await page.goto(instanceUrl("acme"));
  await expect(page.getByRole("heading", { name: "Acme Bakery" }).first()).toBeVisible();
  await page.getByRole("textbox", { name: "What is new?" }).fill("Fresh rye at six");
  await page.getByRole("button", { name: "Post" }).click();
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("Fresh rye at six");

  // The variables, byte for byte, and only with the key.
  expect((await askIntranet(request, "acme", "/variables")).status()).toBe(403);
  const variables = await askIntranet(request, "acme", "/variables", { "x-admin-key": adminKey("acme") });
  expect(await variables.json()).toMatchObject({
    WELCOME_TEXT: greeting,
    SMTP_PASSWORD: "sup3r-s3cret-word",
  });

  // One droplet, one record.
  const { droplets } = (await cloud(request, "/v2/droplets?per_page=200")) as {
    droplets: { name: string }[];
  };
  expect(droplets.filter((droplet) => droplet.name === "acme.intranet.localhost")).toHaveLength(1);
  const { domain_records: records } = (await cloud(
    request,
    "/v2/domains/intranet.localhost/records?type=A&name=acme.intranet.localhost",
  )) as { domain_records: unknown[] };
  expect(records).toHaveLength(1);

  // No secret in what the log shows.
  await page.goto("/instances/acme");
  await expect(page.getByRole("heading", { name: "Acme Bakery", level: 1 })).toBeVisible();
  expect(await page.content()).not.toContain("sup3r-s3cret-word");
});

test("a worker killed in the middle of Ansible loses nothing", async ({ page, request }) => {
  await spawn(page, { company: "Nordwind Logistik", slug: "nordwind" });
  await expect(page.getByRole("region", { name: "Log" })).toContainText("TASK [", { timeout: 60_000 });
  process.kill(processId("worker"), "SIGKILL");
  await waitUntilRunning(page);
  const { droplets } = (await cloud(request, "/v2/droplets?per_page=200")) as {
    droplets: { name: string }[];
  };
  expect(droplets.filter((droplet) => droplet.name === "nordwind.intranet.localhost")).toHaveLength(1);
  await page.goto("/outbox");
  await expect(page.getByText("Nordwind Logistik", { exact: false })).not.toHaveCount(0);
});

test("the web process killed while the page is open: the page catches up by itself", async ({ page }) => {
  await spawn(page, { company: "Kirchner Maschinenbau", slug: "kirchner" });
  await expect(stepOf(page, "Provision with Ansible")).toContainText("Running", { timeout: 60_000 });
  process.kill(processId("web"), "SIGKILL");
  await waitUntilRunning(page);
});

test("the page closed and opened again in the middle of a run shows the same thing", async ({ page }) => {
  await spawn(page, { company: "Casa Verde", slug: "casaverde" });
  const address = page.url();
  await page.goto("about:blank");
  await page.goto(address);
  await expect(page.getByRole("heading", { name: "Casa Verde", level: 1 })).toBeVisible();
  await waitUntilRunning(page);
  await page.goto("/");
  await expect(page.getByText("Casa Verde").first()).toBeVisible();
});

test("the queue's database deleted in the middle of a run: the spawn still finishes", async ({ page }) => {
  await spawn(page, { company: "Bergström Orthopaedics", slug: "bergstrom" });
  await expect(stepOf(page, "Provision with Ansible")).toContainText("Running", { timeout: 60_000 });
  rmSync(join(process.env.E2E_DATA_DIR ?? "", "postgres"), { recursive: true, force: true });
  process.kill(processId("postgres"), "SIGKILL");
  await waitUntilRunning(page);
});
