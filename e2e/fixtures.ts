import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { eq } from "drizzle-orm";
import { type APIRequestContext, test as base, expect, type Page } from "playwright/test";
import { type Db, openDatabase } from "#db/client.ts";
import { drift, healthHours, instances, operations } from "#db/schema.ts";
import { testAuthorization } from "#local-cloud/testing/testToken.ts";
import { createClock } from "#server/clock.ts";
import { type Finding, keyOf } from "#server/drift/findings.ts";
import { reconciliationState, saveReconciliationState } from "#server/drift/state.ts";
import { hourMs, hourOf } from "#server/instances/healthHours.ts";
import { openVariables } from "#server/instances/variables.ts";
import { nextSequence } from "#server/operations/engine/sequence.ts";
import { deriveKey } from "#server/secrets.ts";
import { expectRulesToHold } from "./rules.ts";
import { account, cloudUrl, ports } from "./world.ts";

export { expect };

/** The data folder of the application under test; `playwright.config.ts` chooses it. */
const dataDir = () => process.env.E2E_DATA_DIR ?? "";

/** What the application has written, opened as another process on the same file. */
export function withDatabase<Result>(work: (db: Db) => Result): Result {
  const { db, connection } = openDatabase(join(dataDir(), "spawner.sqlite"));
  try {
    return work(db);
  } finally {
    connection.close();
  }
}

/**
 * Notes a finding about an instance as two rounds of reconciliation would, the second of them just now: the next one,
 * two minutes later, keeps it only if it is true.
 */
export function noteDrift(slug: string, finding: Finding, monthlyCents = 0): void {
  withDatabase((db) => {
    const instance = db.select().from(instances).where(eq(instances.slug, slug)).get();
    if (instance === undefined) throw new Error(`There is no instance ${slug}.`);
    const found = { key: keyOf(finding), instanceId: instance.id, finding, monthlyCents };
    db.insert(drift)
      .values({ ...found, foundAt: Date.now() - 120_000, foundMonotonic: 0 })
      .run();
    const checked = { checkedAt: Date.now(), checkedMonotonic: createClock(db).monotonic() };
    saveReconciliationState(db, { ...reconciliationState(db), ...checked });
  });
}

/** Notes how an instance answered some hours ago, the newest last: before whatever the application notes itself. */
export function noteHealth(slug: string, hours: Partial<typeof healthHours.$inferInsert>[]): void {
  withDatabase((db) => {
    const instance = db.select().from(instances).where(eq(instances.slug, slug)).get();
    if (instance === undefined) throw new Error(`There is no instance ${slug}.`);
    const first = hourOf(Date.now()) - (hours.length + 2) * hourMs;
    const nothing = { up: 0, slow: 0, down: 0, histogram: {} };
    for (const [index, hour] of hours.entries())
      db.insert(healthHours)
        .values({ instanceId: instance.id, hour: first + index * hourMs, ...nothing, ...hour })
        .run();
  });
}

/** Notes so many operations as done with an instance, after those there are. */
export function noteOperations(slug: string, count: number): void {
  withDatabase((db) =>
    db.transaction((tx) => {
      const instance = tx.select().from(instances).where(eq(instances.slug, slug)).get();
      if (instance === undefined) throw new Error(`There is no instance ${slug}.`);
      const at = Date.now();
      for (let index = 0; index < count; index += 1)
        tx.insert(operations)
          .values({
            ...{ id: randomUUID(), sequence: nextSequence(tx, operations), instanceId: instance.id },
            ...{ kind: "rename", state: "done", facts: {}, createdBy: "joe", createdAt: at, endedAt: at },
          })
          .run();
    }),
  );
}

/** Takes every finding away. */
export const forgetDrift = () => withDatabase((db) => db.delete(drift).run());

/** A signed-in page for each test; after it, the rules that always hold are looked at. */
export const test = base.extend<{ rules: undefined }>({
  page: async ({ page }, use) => {
    await signIn(page);
    await use(page);
  },
  rules: [
    async ({ request }, use) => {
      await use(undefined);
      await expectRulesToHold(request);
    },
    { auto: true },
  ],
});

/** Signs in. `withinMs` is longer where the pages are still to be compiled. */
export async function signIn(page: Page, withinMs = 15_000): Promise<void> {
  await page.goto("/login");
  await page.getByLabel("Email").fill(account.email);
  await page.getByLabel("Password").fill(account.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Instances", level: 1 })).toBeVisible({ timeout: withinMs });
}

export type Wish = {
  company: string;
  slug: string;
  version?: string;
  variables?: { name: string; value: string; secret?: boolean }[];
};

/** Fills in the form and presses the button; ends on the instance's page. */
export async function spawn(page: Page, wish: Wish): Promise<void> {
  await page.goto("/instances/new");
  await page.getByLabel("Company").fill(wish.company);
  await page.getByLabel("Contact name").fill("Petra Lindqvist");
  await page.getByLabel("Contact email").fill("petra@acme.example");
  await page.getByLabel("Slug").fill(wish.slug);
  if (wish.version !== undefined) await page.getByLabel("Version").selectOption(wish.version);
  for (const [index, variable] of (wish.variables ?? []).entries()) {
    await page.getByRole("button", { name: "Add variable" }).click();
    await page.getByLabel("Variable name").nth(index).fill(variable.name);
    await page.getByLabel("Variable value").nth(index).fill(variable.value);
    if (variable.secret === true) await page.getByLabel("Secret").nth(index).check();
  }
  await page.getByRole("button", { name: "Spawn instance" }).click();
  await expect(page).toHaveURL(new RegExp(`/instances/${wish.slug}`));
}

/** Sends what the form sends, without the form. */
export const pressSpawn = (page: Page, wish: { company: string; slug: string; idempotencyKey?: string }) =>
  page.request.post("/api/trpc/instances.spawn", {
    data: {
      ...{ idempotencyKey: randomUUID(), contactName: "Petra", contactEmail: "petra@acme.example" },
      ...{ domain: "intranet.localhost", region: "fra1", size: "s-1vcpu-2gb", version: "2.14.0" },
      ...{ variables: [], ...wish },
    },
  });

/** Fails with what a machine can find of accessibility faults on the page as it is. */
export async function expectNoFaults(page: Page, where: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21aa"])
    .exclude("iframe")
    .analyze();
  expect(violations.map((one) => `${where}: ${one.id}: ${one.nodes[0]?.html}`)).toEqual([]);
}

/** The line of the list "Steps" that begins with this label. */
export const stepOf = (page: Page, label: string) =>
  page
    .getByRole("list", { name: "Steps" })
    .getByRole("listitem", { name: new RegExp(`^${label.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")},`) });

/** Waits until the page itself says that the instance runs. */
export async function waitUntilRunning(page: Page): Promise<void> {
  await expect(page.getByRole("main").getByText("Running", { exact: true }).first()).toBeVisible({
    timeout: 90_000,
  });
  await expect(page.getByRole("main").getByText("Spawning", { exact: true })).toHaveCount(0);
}

/** Asks an intranet as a visitor does, by its name; Node itself does not know that *.localhost is this machine. */
export const askIntranet = (
  request: APIRequestContext,
  slug: string,
  path: string,
  headers: Record<string, string> = {},
) =>
  request.get(`http://127.0.0.1:${ports.edge}${path}`, {
    headers: { host: `${slug}.intranet.localhost:${ports.edge}`, ...headers },
  });

/** The version of the intranet that answers; undefined while visitors are shown how far it is instead. */
export async function versionAt(request: APIRequestContext, slug: string): Promise<string | undefined> {
  const answer = await askIntranet(request, slug, "/healthz");
  const isIntranet = answer.headers()["content-type"]?.startsWith("application/json") === true;
  return isIntranet ? (await answer.json()).version : undefined;
}

/** The key that the Spawner made for this instance, read as the worker reads it. */
export function adminKey(slug: string): string {
  const key = deriveKey(readFileSync(join(dataDir(), "secret.key"), "utf8").trim(), "variables");
  const found = withDatabase((db) => {
    const instance = db.select().from(instances).where(eq(instances.slug, slug)).get();
    return openVariables(db, key, instance?.id ?? "", instance?.variableSet ?? 1);
  }).find((variable) => variable.name === "ADMIN_KEY");
  if (found === undefined) throw new Error(`${slug} has no ADMIN_KEY`);
  return found.value;
}

export const instanceUrl = (slug: string) => `http://${slug}.intranet.localhost:${ports.edge}`;

/** What the cloud really has, asked with a client of our own. */
export async function cloud(request: APIRequestContext, path: string): Promise<Record<string, unknown>> {
  const answer = await request.get(`${cloudUrl}${path}`, { headers: testAuthorization });
  return (await answer.json()) as Record<string, unknown>;
}

/** Arms a fault in the local cloud. */
export async function arm(request: APIRequestContext, fault: Record<string, unknown>): Promise<void> {
  const answer = await request.post(`${cloudUrl}/_faults`, { headers: testAuthorization, data: fault });
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** The process id of one of the application's processes, as its supervisor has noted it. */
export function processId(name: string): number {
  const file = join(dataDir(), "processes.json");
  const text = readFileSync(file, "utf8");
  const found: unknown = JSON.parse(text);
  const list: unknown[] = Array.isArray(found) ? found : Object.values(found as object).flat();
  for (const entry of list)
    if (
      typeof entry === "object" &&
      entry !== null &&
      "name" in entry &&
      "pid" in entry &&
      entry.name === name
    )
      return Number(entry.pid);
  throw new Error(`${name} is not in ${text}`);
}

/** Waits until the page says that the instance has this status, and that the operation shown has come to its end. */
export async function waitForStatus(page: Page, status: string): Promise<void> {
  await expect(page.getByRole("main").getByText(status, { exact: true }).first()).toBeVisible({
    timeout: 90_000,
  });
}

/** Waits until every step of the operation on the page has come to its end, and none has failed. */
export async function waitForDone(page: Page, last: string): Promise<void> {
  await expect(stepOf(page, last)).toContainText(/Done|Skipped/, { timeout: 90_000 });
  await expect(page.getByRole("list", { name: "Steps" }).getByText("Failed")).toHaveCount(0);
}

/** Posts in the intranet, as a colleague does. */
export async function post(page: Page, slug: string, text: string): Promise<void> {
  await page.goto(instanceUrl(slug));
  await page.getByRole("textbox", { name: "What is new?" }).fill(text);
  await page.getByRole("button", { name: "Post" }).click();
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText(text);
}

export async function openMenu(page: Page, item: string): Promise<void> {
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem", { name: item }).click();
}

export async function destroy(page: Page, slug: string): Promise<void> {
  await page.goto(`/instances/${slug}`);
  await page.getByRole("button", { name: "Destroy instance" }).click();
  const dialog = page.getByRole("alertdialog");
  await dialog.getByLabel(`Type ${slug} to confirm`).fill(slug);
  await dialog.getByRole("button", { name: "Destroy instance" }).click();
  await waitForStatus(page, "Destroyed");
}

/** Takes all faults away again. */
export async function disarm(request: APIRequestContext): Promise<void> {
  expect((await request.delete(`${cloudUrl}/_faults`, { headers: testAuthorization })).ok()).toBe(true);
}

/** The file on the instance's droplet that holds its posts. */
export function postsOf(slug: string): string {
  const row = withDatabase((db) => db.select().from(instances).where(eq(instances.slug, slug)).get());
  return join(
    dataDir(),
    "cloud",
    "droplets",
    String(row?.dropletId),
    "disk",
    "var",
    "intranet",
    "posts.json",
  );
}
