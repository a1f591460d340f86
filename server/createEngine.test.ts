import { existsSync, globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { instances } from "#db/schema.ts";
import { createEngine } from "./createEngine.ts";
import { readEnv } from "./env.ts";
import { done, step } from "./operations/engine/define.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  realClock,
  runToEnd,
} from "./operations/testing/testEngine.ts";

/** The engine as it is put together from the configuration. */
let world: ReturnType<typeof createTestEngine>;
beforeEach(() => {
  world = createTestEngine();
});
afterEach(() => world.close());

function configured(variables: Record<string, string> = {}) {
  const env = readEnv({
    DATABASE_URL: "postgres://localhost/none",
    SECRET_KEY: "a key of the tests",
    DATA_DIR: world.folder,
    ...variables,
  });
  return createEngine(env, world.db, realClock, () => {});
}

const dayMs = 86_400_000;
test.each([
  [{ KEEP_DESTROYED_DAYS: "7" }, 7],
  [{}, 60],
])("Destroy keeps snapshot and backups as long as KEEP_DESTROYED_DAYS says: %o", async (variables, days) => {
  const engine = configured(variables);
  const nothing = step("nothing", "Nothing", async () => done());
  const destroy = { ...engine.registry.destroy, steps: [nothing] };
  engine.registry = { ...engine.registry, destroy };
  const id = insertInstance(world.db);
  await runToEnd(engine, begin(engine, id, destroy), () => {});
  const row = world.db.select().from(instances).where(eq(instances.id, id)).get();
  expect(row?.status).toBe("destroyed");
  expect((row?.keptUntil ?? 0) - (row?.destroyedAt ?? 0)).toBe(days * dayMs);
});

test.each([
  [{ KEEP_LOGS_DAYS: "7" }, 7],
  [{}, 30],
])("logs are packed when they are as old as KEEP_LOGS_DAYS says: %o", (variables, days) => {
  expect(configured(variables).keepLogsMs).toBe(days * dayMs);
});

describe("the local cloud and DigitalOcean", () => {
  /** Functions by their source, so that the same code counts as the same. */
  const codeOf = (part: unknown): unknown =>
    typeof part === "function"
      ? String(part)
      : typeof part === "object" && part !== null
        ? Object.fromEntries(Object.entries(part).map(([name, value]) => [name, codeOf(value)]))
        : part;

  test("have the same operations and the same providers; only the site differs", () => {
    const local = configured();
    const server = configured({ DIGITALOCEAN_TOKEN: "dop_v1_test", BASE_DOMAINS: "intranet.io" });
    expect(server.registry).toBe(local.registry);
    expect(codeOf(server.providers)).toEqual(codeOf(local.providers));
    const differs = Object.entries(server.site).filter(([name, value]) => {
      const there = Object.entries(local.site).find(([other]) => other === name);
      return there?.[1] !== value;
    });
    expect(Object.fromEntries(differs)).toEqual({
      runtime: "server",
      scheme: "https",
      port: undefined,
      sshPort: 22,
      webPort: 80,
    });
  });

  const root = resolve(import.meta.dirname, "..");
  const read = (file: string) => readFileSync(resolve(root, file), "utf8");

  test("are told apart by no operation, chore or provider, but for the image that a server runs", () => {
    const files = globSync("server/{operations,maintenance,providers,backups,drift}/**/*.ts", { cwd: root });
    const telling = files.filter(
      (file) => !file.endsWith(".test.ts") && /runtime [!=]==|env\.isLocal/.test(read(file)),
    );
    expect(files.length).toBeGreaterThan(80);
    expect(telling).toEqual(["server/operations/steps/intranetVars.ts"]);
  });

  test("differ in one Ansible role, which has what the playbooks call in both", () => {
    const lines = globSync("ansible/*.yml", { cwd: root })
      .flatMap((file) => read(file).split("\n"))
      .filter((line) => line.includes("runtime") && !line.startsWith("#"));
    expect(lines.length).toBeGreaterThan(4);
    for (const line of lines) expect(line).toMatch(/^\s+(- role|name): "intranet_\{\{ runtime \}\}"$/);
    const calls = globSync("ansible/*.yml", { cwd: root })
      .flatMap((file) => [...read(file).matchAll(/tasks_from: (\w+)/g)])
      .map(([, name]) => name);
    expect(calls.length).toBeGreaterThan(3);
    for (const runtime of ["local", "server"])
      for (const name of ["main", ...calls])
        expect(existsSync(resolve(root, `ansible/roles/intranet_${runtime}/tasks/${name}.yml`))).toBe(true);
    expect(globSync("ansible/roles/intranet_*", { cwd: root })).toHaveLength(2);
  });
});
