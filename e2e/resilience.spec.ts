import { randomUUID } from "node:crypto";
import { and, asc, eq } from "drizzle-orm";
import { events, instances, mail, operations, steps } from "#db/schema.ts";
import {
  arm,
  askIntranet,
  disarm,
  expect,
  pressSpawn,
  processId,
  spawn,
  stepOf,
  test,
  waitUntilRunning,
  withDatabase,
} from "./fixtures.ts";

const stepState = (slug: string, name: string) =>
  withDatabase(
    (db) =>
      db
        .select({ state: steps.state })
        .from(steps)
        .innerJoin(operations, eq(operations.id, steps.operationId))
        .innerJoin(instances, eq(instances.id, operations.instanceId))
        .where(and(eq(instances.slug, slug), eq(steps.name, name)))
        .get()?.state,
  );

/** A worker that has come up and can be killed: not the one that is dying. */
async function killWorker(): Promise<void> {
  const pid = processId("worker");
  process.kill(pid, "SIGKILL");
  await expect.poll(() => processId("worker"), { timeout: 30_000 }).not.toBe(pid);
}

const inSteps = [
  { name: "create-droplet", slow: { method: "POST", path: "/v2/droplets" } },
  { name: "droplet-ready", slow: undefined },
  { name: "provision", slow: undefined },
  { name: "create-dns", slow: { method: "POST", path: "/v2/domains/intranet.localhost/records" } },
  { name: "app-ready", slow: undefined },
  { name: "email", slow: undefined },
];

for (const { name, slow } of inSteps)
  test(`the worker killed with -9 in the step ${name}: one droplet, one record, one mail`, async ({
    page,
    request,
  }) => {
    const slug = `killed-${name}`;
    // A slow answer holds the step open, so that the kill meets it in the middle of its call.
    if (slow !== undefined) await arm(request, { match: slow, times: 1, kind: "latency", ms: 1500 });
    await spawn(page, { company: `Killed in ${name}`, slug });
    await expect
      .poll(() => stepState(slug, name), { intervals: [5], timeout: 60_000 })
      .toMatch(/running|done/);
    await killWorker();
    await waitUntilRunning(page);
    const { ready, lines, gapless } = withDatabase((db) => {
      const operation = db
        .select({ id: operations.id })
        .from(operations)
        .innerJoin(instances, eq(instances.id, operations.instanceId))
        .where(eq(instances.slug, slug))
        .get();
      const id = operation?.id ?? "";
      return {
        ready: db
          .select()
          .from(mail)
          .where(and(eq(mail.operationId, id), eq(mail.kind, "ready")))
          .all().length,
        lines: db
          .select({ data: events.data })
          .from(events)
          .where(and(eq(events.operationId, id), eq(events.kind, "log"), eq(events.step, "provision")))
          .orderBy(asc(events.id))
          .all()
          .map((event) => String(event.data.text))
          .filter((text) => text.includes("TASK [")),
        gapless: db
          .select({ id: events.id })
          .from(events)
          .orderBy(asc(events.id))
          .all()
          .every((event, index) => event.id === index + 1),
      };
    });
    expect(ready).toBe(1);
    // Every heading of the log once: nothing is missing, nothing came twice.
    expect(new Set(lines).size).toBe(lines.length);
    expect(lines.length).toBe(10);
    expect(gapless).toBe(true);
    // The droplet and its record: the rules that are looked at after each test count them.
    await disarm(request);
  });

test("two hundred presses at once for one address: one instance", async ({ page }) => {
  const press = (idempotencyKey: string) =>
    pressSpawn(page, { company: "Rush Hour", slug: "rush", idempotencyKey });
  const answers = await Promise.all(Array.from({ length: 200 }, () => press(randomUUID())));
  const statuses = answers.map((answer) => answer.status());
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(statuses.filter((status) => status === 409)).toHaveLength(199);
  const refused = await answers.find((answer) => answer.status() === 409)?.text();
  expect(refused).toContain("rush.intranet.localhost is taken.");
  await page.goto("/instances/rush");
  await waitUntilRunning(page);
});

test("a slug taken between the check and the click is said beside its field, and nothing is lost", async ({
  page,
}) => {
  await page.goto("/instances/new");
  await page.getByLabel("Company").fill("Late Comer");
  await page.getByLabel("Contact name").fill("Petra");
  await page.getByLabel("Contact email").fill("petra@acme.example");
  await page.getByLabel("Slug").fill("coveted");
  await expect(page.getByText("is available.")).toBeVisible();
  const other = await pressSpawn(page, { company: "First", slug: "coveted" });
  expect(other.status()).toBe(200);
  await page.getByRole("button", { name: "Spawn instance" }).click();
  await expect(page.locator("#slug-note")).toContainText("coveted.intranet.localhost is taken.");
  await expect(page.getByLabel("Company")).toHaveValue("Late Comer");
  await page.getByRole("button", { name: "Use coveted-2" }).click();
  await expect(page.getByLabel("Slug")).toHaveValue("coveted-2");
  await page.goto("/instances/coveted");
  await waitUntilRunning(page);
});

test("DigitalOcean that asks for patience gets it, and a token it refuses is named", async ({
  page,
  request,
}) => {
  await arm(request, {
    match: { method: "GET", path: "/v2/droplets" },
    times: 2,
    kind: "status",
    status: 429,
  });
  await spawn(page, { company: "Patience", slug: "patience" });
  await waitUntilRunning(page);
  await arm(request, {
    match: { method: "POST", path: "/v2/droplets" },
    times: 1,
    kind: "status",
    status: 401,
  });
  await spawn(page, { company: "Wrong Token", slug: "wrong-token" });
  await expect(stepOf(page, "Request a droplet")).toContainText("Failed", { timeout: 30_000 });
  await expect(page.getByRole("region", { name: "What went wrong" })).toContainText("token");
  await page.getByRole("button", { name: "Retry" }).click();
  await waitUntilRunning(page);
  await disarm(request);
});

test("while the dashboard's process hangs the page says so, and catches up by itself", async ({
  page,
  request,
}) => {
  await spawn(page, { company: "Stockfish", slug: "stockfish" });
  await expect(stepOf(page, "Provision with Ansible")).toContainText("Running", { timeout: 30_000 });
  const web = processId("web");
  process.kill(web, "SIGSTOP");
  try {
    await expect(page.getByText(/^Reconnecting, last update/).filter({ visible: true })).toBeVisible({
      timeout: 30_000,
    });
  } finally {
    // Whatever the page said: the tests that follow need the process again.
    process.kill(web, "SIGCONT");
  }
  await expect(page.getByText("Live", { exact: true })).toBeVisible({ timeout: 30_000 });
  await waitUntilRunning(page);
  expect((await askIntranet(request, "stockfish", "/healthz")).status()).toBe(200);
});
