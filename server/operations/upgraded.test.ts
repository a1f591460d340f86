import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { afterEach, describe, expect, test } from "vitest";
import { openDatabase } from "#db/client.ts";
import { migrateDatabase } from "#db/migrate.ts";
import { backups, type OperationState, type StepState } from "#db/schema.ts";
import { olderMigrations } from "#db/testing/testMigrations.ts";
import { createFolderStore } from "#server/providers/backups/folderStore.ts";
import { verifyArchive } from "#server/providers/backups/verify.ts";
import { cancelOperation, retryOperation } from "./cancelAndRetry.ts";
import type { Providers } from "./engine/define.ts";
import { createDataDroplet, postsIn } from "./testing/testData.ts";
import { createTestEngine, only, operationOf, runToEnd, states } from "./testing/testEngine.ts";

/**
 * Operations that the version before has begun (the schema of three migrations, and the plans, facts and names of that
 * time) go on in this one, and are cancelled and tried again, without losing a post.
 */

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const id = "0operation";
const source = "0source";
const at = 1_800_000_000_000;
const runBefore = { round: 0, cursor: 5, lost: 0 };

type Before = {
  kind: "backup" | "restore" | "upgrade";
  state?: OperationState;
  isCancelled?: boolean;
  round?: number;
  /** By name; those of a way back begin with "rescue-" or "undo-". */
  steps: Record<string, StepState>;
  facts?: object;
};

/** What that version knew of its safety backup once it was stored. */
const dumpOf = ({ bytes, sha256, tree }: { bytes: number; sha256: string; tree: string }) => ({
  dump: { key: `before/${id}.tar.gz`, bytes, sha256, files: 1, tree },
});

/** A world as that version left it: a droplet with data, the good backup to restore, and what has been dumped. */
async function createOldWorld() {
  const folder = mkdtempSync(join(tmpdir(), "spawner-upgraded-"));
  const file = join(folder, "spawner.sqlite");
  const old = openDatabase(file);
  migrate(old.db, { migrationsFolder: olderMigrations(folder, 3) });
  const { droplet, playbooks, transfer, answer } = createDataDroplet("2.13.0");
  const store = createFolderStore(join(folder, "backups"));
  const host = { address: "127.0.0.9", port: 22, user: "root", hostKey: "", privateKeyFile: "" };
  const runPlaybook = (step: string, playbook: "backup" | "restore" | "provision", vars: object, round = 0) =>
    playbooks.ensureRun({
      key: `${id}-${step}-${round}-0`,
      playbook,
      host: { address: "127.0.0.9", port: 22, user: "root", hostKeys: [], privateKeyFile: "" },
      vars: { runtime: "local", ...vars },
    });
  const storeAs = async (name: string) => {
    const found = JSON.parse(await transfer.readTextFile(host, `backups/${name}.json`));
    await transfer.fetchFile(host, `backups/${name}.tar.gz`, store, `before/${name}.tar.gz`, {});
    return { ...found.archive, tree: found.contents.tree };
  };

  droplet.post("in the backup to restore");
  await runPlaybook("earlier", "backup", { backup_id: source, version: "2.13.0" });
  const stored = await storeAs(source);
  droplet.post("since");
  const instance = `'i', 'c', 'Acme', 'Petra', 'p@acme.example', 'acme', 'x.test', 'fra1', 's', 1200, '2.13.0', 'restoring', 1, '127.0.0.9', 'key', 'joe', 1, 1`;
  old.connection.exec(`
    INSERT INTO instances (id, click_key, company, contact_name, contact_email, slug, domain, region, size,
      price_monthly_cents, version, status, droplet_id, address, host_key, created_by, created_at, answered_at)
      VALUES (${instance});
    INSERT INTO operations (id, instance_id, kind, state, facts, created_by, created_at, ended_at)
      VALUES ('${source}', 'i', 'backup', 'done', '{}', 'joe', 1, 1);
    INSERT INTO backups (id, instance_id, operation_id, reason, state, key, bytes, sha256, version, created_at, verified_at)
      VALUES ('${source}', 'i', '${source}', 'manual', 'good', 'before/${source}.tar.gz', ${stored.bytes},
        '${stored.sha256}', '2.13.0', 1, 1);`);

  return {
    droplet,
    runPlaybook,
    storeAs,
    source: { id: source, key: `before/${source}.tar.gz`, version: "2.13.0", ...stored },
    /** The row of the safety backup. */
    writeBackup(state: "running" | "good") {
      old.connection
        .prepare(
          "INSERT INTO backups (id, instance_id, operation_id, reason, state, key, version, created_at, verified_at) VALUES (?, 'i', ?, 'before-restore', ?, ?, '2.13.0', 2, ?)",
        )
        .run(id, id, state, `before/${id}.tar.gz`, state === "good" ? 2 : null);
    },
    /** Writes the operation, and brings the database to this version. */
    upgrade({ kind, state = "running", isCancelled = false, round = 0, steps, facts = {} }: Before) {
      old.connection
        .prepare(
          "INSERT INTO operations (id, instance_id, kind, state, round, facts, status_before, created_by, created_at, cancel_requested_at) VALUES (?, 'i', ?, ?, ?, ?, 'running', 'joe', ?, ?)",
        )
        .run(id, kind, state, round, JSON.stringify(facts), at, isCancelled ? at : null);
      Object.entries(steps).forEach(([name, stepState], position) => {
        old.connection
          .prepare(
            "INSERT INTO steps (operation_id, name, label, position, undo, state, due_at, started_at, claimed_by, claimed_until, failure) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          )
          .run(
            ...[id, name, name, position, /^(rescue|undo)-/.test(name) ? 1 : 0, stepState, at],
            stepState === "waiting" ? null : at,
            ...(stepState === "running" ? ["a process of that version", at + 30_000] : [null, null]),
            stepState === "failed" ? JSON.stringify({ userMessage: "It failed.", detail: "" }) : null,
          );
      });
      if (state === "running" || state === "cancelling")
        old.connection.exec(`INSERT INTO wake_ups (operation_id, due_at) VALUES ('${id}', ${at})`);
      old.connection.close();
      migrateDatabase(file);

      const { db, connection } = openDatabase(file);
      const { engine, clock, close } = createTestEngine({ db });
      clock.now = at;
      closing.push(() => {
        close();
        connection.close();
        rmSync(folder, { recursive: true, force: true });
      });
      engine.providers = only<Providers>("providers", {
        ...{ playbooks, transfer, verifyArchive, backups: store },
        probe: { answer, variablesInEffect: async () => undefined },
      });
      return {
        engine,
        state: () => operationOf(db, id).state,
        steps: () => states(db, id),
        play: () =>
          runToEnd(engine, id, (until) => {
            clock.now = Math.max(clock.now, until);
          }),
        async backedUp() {
          const good = db.select().from(backups).all();
          const posts = good
            .filter((row) => row.state === "good")
            .map(async ({ key }) => [...(await postsIn(store, key))]);
          return Promise.all(posts);
        },
      };
    },
  };
}

const dumped = (world: Awaited<ReturnType<typeof createOldWorld>>) =>
  world.runPlaybook("dump", "backup", { backup_id: id, version: "2.13.0" });

describe("a backup", () => {
  test("whose dump runs is stored and verified", async () => {
    const world = await createOldWorld();
    await dumped(world);
    const now = world.upgrade({
      kind: "backup",
      steps: { dump: "running", store: "waiting", verify: "waiting" },
      facts: { runs: { dump: runBefore } },
    });
    await now.play();
    expect(now.state()).toBe("done");
    expect(await now.backedUp()).toContainEqual(["in the backup to restore", "since"]);
  });

  test("that failed to be stored is tried again", async () => {
    const world = await createOldWorld();
    await dumped(world);
    world.writeBackup("running");
    const now = world.upgrade({
      kind: "backup",
      state: "failed",
      steps: { dump: "done", store: "failed", verify: "waiting" },
      facts: { runs: { dump: runBefore } },
    });
    retryOperation(now.engine, id, "joe");
    await now.play();
    expect(now.state()).toBe("done");
    expect(await now.backedUp()).toContainEqual(["in the backup to restore", "since"]);
  });

  test("that is stored is verified", async () => {
    const world = await createOldWorld();
    await dumped(world);
    world.writeBackup("running");
    const facts = { runs: { dump: runBefore }, ...dumpOf(await world.storeAs(id)) };
    const now = world.upgrade({
      kind: "backup",
      steps: { dump: "done", store: "done", verify: "waiting" },
      facts,
    });
    await now.play();
    expect(now.state()).toBe("done");
    expect(await now.backedUp()).toContainEqual(["in the backup to restore", "since"]);
  });
});

/** The data from before is backed up, and has been replaced by the backup's. */
async function createRestore(isVerified = true) {
  const world = await createOldWorld();
  await dumped(world);
  world.writeBackup("good");
  const dump = dumpOf(await world.storeAs(id));
  const { id: backup_id, tree: expected_tree } = world.source;
  const vars = { backup_id, expected_tree, restore_id: id, url: "http://acme.x.test", web_port: 80 };
  await world.runPlaybook("put-back", "restore", { ...vars, version: "2.13.0" });
  expect(world.droplet.posts).toEqual(["in the backup to restore"]);
  const facts = {
    ...{ source: world.source, isVerified, ...dump },
    runs: { dump: runBefore, "put-back": runBefore },
  };
  return { world, facts };
}
const safe = { dump: "done", store: "done", verify: "done", send: "done" } as const;

describe("a restore", () => {
  test("that puts the backup's data back comes to its end", async () => {
    const { world, facts } = await createRestore();
    const now = world.upgrade({
      kind: "restore",
      steps: { ...safe, "put-back": "running", "app-ready": "waiting" },
      facts,
    });
    await now.play();
    expect(now.state()).toBe("done");
    expect(world.droplet.posts).toEqual(["in the backup to restore"]);
    expect(await now.backedUp()).toContainEqual(["in the backup to restore", "since"]);
  });

  test.each([
    ["is cancelled now", {}],
    ["was cancelled just before", { isCancelled: true }],
    [
      "was going back",
      {
        ...{ isCancelled: true, state: "cancelling" as const },
        undo: { "undo-backup": "skipped", "undo-data": "waiting", "undo-ready": "waiting" } as const,
      },
    ],
  ])(
    "that %s puts the data from before back",
    async (_name, { undo, ...before }: Partial<Before> & { undo?: Before["steps"] }) => {
      const { world, facts } = await createRestore();
      const last = undo === undefined ? "waiting" : "cancelled";
      const now = world.upgrade({
        kind: "restore",
        steps: { ...safe, "put-back": "done", "app-ready": last, ...undo },
        facts,
        ...before,
      });
      cancelOperation(now.engine, id, "joe");
      await now.play();
      expect(now.state()).toBe("cancelled");
      expect(world.droplet.posts).toEqual(["in the backup to restore", "since"]);
      expect(world.droplet.isUp).toBe(true);
    },
  );

  test("that was put back by itself begins anew, and does not go back to what was then", async () => {
    const { world, facts } = await createRestore();
    world.droplet.posts = ["in the backup to restore", "since", "later"];
    world.droplet.kept.clear();
    const now = world.upgrade({
      kind: "restore",
      state: "failed",
      steps: {
        ...safe,
        ...{ "put-back": "failed", "app-ready": "waiting" },
        ...{ "rescue-data": "done", "rescue-ready": "done" },
      },
      facts,
    });
    retryOperation(now.engine, id, "joe");
    cancelOperation(now.engine, id, "joe");
    await now.play();
    expect(now.state()).toBe("cancelled");
    expect(world.droplet.posts).toEqual(["in the backup to restore", "since", "later"]);
  });
});

/** The data is backed up, and the new version runs. */
async function createUpgrade() {
  const world = await createOldWorld();
  await dumped(world);
  world.writeBackup("good");
  const dump = dumpOf(await world.storeAs(id));
  const vars = {
    ...{
      company: "Acme",
      slug: "acme",
      url: "http://acme.x.test",
      releases_url: "http://127.0.0.1:1/releases",
    },
    ...{ environment_variables: {}, web_port: 80, contact_email: "p@acme.example" },
  };
  await world.runPlaybook("install", "provision", { ...vars, version: "2.14.0" });
  world.droplet.posts = ["made unreadable by the new version"];
  world.droplet.broken.add("2.14.0");
  const facts = {
    ...{ version: "2.14.0", previousVersion: "2.13.0", isVerified: true, ...dump },
    runs: { dump: runBefore, install: runBefore },
  };
  return { world, facts };
}
const { send: _none, ...backedUpFirst } = safe;

describe("an upgrade", () => {
  const asBefore = {
    posts: ["in the backup to restore", "since"],
    ...{ isUp: true, version: "2.13.0" },
  };

  test("whose new version does not answer goes back", async () => {
    const { world, facts } = await createUpgrade();
    const now = world.upgrade({
      kind: "upgrade",
      steps: { ...backedUpFirst, install: "running", "app-ready": "waiting" },
      facts,
    });
    await now.play();
    expect(now.state()).toBe("failed");
    expect(world.droplet).toMatchObject(asBefore);
    expect(await now.backedUp()).toContainEqual(["made unreadable by the new version"]);
  });

  const rescue = { "rescue-install": "running", "rescue-send": "waiting", "rescue-data": "waiting" } as const;
  test.each([
    ["by itself", { state: "running", isCancelled: false }, "failed"],
    ["because it was cancelled", { state: "cancelling", isCancelled: true }, "cancelled"],
    ["and got stuck", { state: "failed", isCancelled: true }, "cancelled"],
  ] as const)("that was going back %s goes back", async (_name, before, end) => {
    const { world, facts } = await createUpgrade();
    const failed = before.isCancelled ? "cancelled" : "failed";
    const way = Object.entries({ ...rescue, "rescue-ready": "waiting" as const }).map(([name, state]) => [
      before.isCancelled ? name.replace("rescue", "undo") : name,
      before.state === "failed" && state === "running" ? "failed" : state,
    ]);
    const now = world.upgrade({
      kind: "upgrade",
      ...before,
      steps: { ...backedUpFirst, install: "done", "app-ready": failed, ...Object.fromEntries(way) },
      facts,
    });
    if (before.state === "failed") retryOperation(now.engine, id, "joe");
    await now.play();
    expect(now.state()).toBe(end);
    expect(world.droplet).toMatchObject(asBefore);
    expect(now.steps()).toMatchObject({ [`${before.isCancelled ? "undo" : "rescue"}-ready`]: "done" });
  });
});
