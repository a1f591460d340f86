import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { instances, mail, type OperationKind } from "#db/schema.ts";
import { type LocalCloud, startLocalCloud } from "#local-cloud/cloud.ts";
import { removeCloud } from "#local-cloud/testing/testCloud.ts";
import { testAuthorization, testToken } from "#local-cloud/testing/testToken.ts";
import { newId } from "#server/ids.ts";
import { createFolderStore } from "#server/providers/backups/folderStore.ts";
import { verifyArchive } from "#server/providers/backups/verify.ts";
import { createDigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";
import { ProviderError } from "#server/providers/errors.ts";
import { scanHostKey } from "#server/providers/ssh.ts";
import { cancelOperation, retryOperation } from "./cancelAndRetry.ts";
import { type AnyDefinition, type AnyFacts, isPlannedFor, plannedSteps, type Step } from "./engine/define.ts";
import type { Engine } from "./engine/engine.ts";
import { registry } from "./registry.ts";
import {
  createTestPlaybooks,
  createTestTransfer,
  type TestArchive,
  testArchive,
} from "./testing/testBackups.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  insertUser,
  operationOf,
  realClock,
  runToEnd,
  states,
} from "./testing/testEngine.ts";
import { brokenRules } from "./testing/testInvariants.ts";
import { startOf } from "./testing/testStarts.ts";

/**
 * Every step of every operation, on the local cloud over HTTP: run twice, failed once, cancelled, in one loop over
 * the definitions, including undos and rescues. A new operation is covered as soon as it's declared.
 */

// Each test starts droplets of its own: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 240_000 });

const folder = mkdtempSync(join(tmpdir(), "spawner-lifecycle-"));
let cloud: LocalCloud;
let publicKey = "";
let archive: TestArchive;
const sshPort = 4922;

beforeAll(async () => {
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
  publicKey = readFileSync(join(folder, "key.pub"), "utf8").trim();
  archive = testArchive();
  cloud = await startLocalCloud({
    token: testToken,
    dataDir: folder,
    port: 0,
    edgePort: 0,
    sshPort,
    webPort: 8981,
    bootMs: 50,
    actionMs: 50,
    listLagMs: 100,
    addressBase: "127.79",
    ratePerMinute: 100_000,
    ratePerHour: 1_000_000,
    dropletLimit: 1000,
  });
});
afterAll(async () => {
  await cloud.close();
  removeCloud(folder);
});

/** Asks the cloud; of a list, all pages. */
async function ask(path: string): Promise<Record<string, unknown>> {
  const whole: Record<string, unknown> = {};
  for (let page = 1; ; page += 1) {
    const url = `${cloud.apiUrl}/v2/${path}&page=${page}`;
    const answer = await fetch(url, { headers: testAuthorization });
    const { links, ...lists } = listAnswer.parse(await answer.json());
    for (const [name, value] of Object.entries(lists))
      if (Array.isArray(value)) whole[name] = [...(Array.isArray(whole[name]) ? whole[name] : []), ...value];
    if (links?.pages?.next === undefined) return whole;
  }
}
const listAnswer = z.looseObject({
  links: z.object({ pages: z.object({ next: z.string().optional() }).optional() }).optional(),
});

/** Switches off what a world leaves running, so that the next ones have the machine for themselves. */
async function tidy({ db }: Engine): Promise<void> {
  for (const { dropletId } of db.select().from(instances).all())
    if (dropletId !== null)
      await fetch(`${cloud.apiUrl}/v2/droplets/${dropletId}`, {
        method: "DELETE",
        headers: testAuthorization,
      });
}

/** An engine on the real client, cloud and store; the playbooks and the intranet answer at once. */
function createWorld() {
  const world = createTestEngine(realClock);
  const { engine, db } = world;
  insertUser(db);
  const { playbooks, probe } = createTestPlaybooks();
  engine.site = { ...engine.site, sshPort, publicKey, keyName: `test-${newId()}` };
  engine.providers = {
    digitalocean: createDigitalOcean({ token: testToken, apiUrl: cloud.apiUrl, now: () => engine.now() }),
    playbooks,
    backups: createFolderStore(join(world.folder, "backups")),
    transfer: createTestTransfer(archive),
    verifyArchive,
    probe,
    scanHostKey,
  };
  return world;
}

/** Backoffs, polls and windows are not waited for: time moves on to them. The cloud's own waiting is what is real. */
async function play(engine: Engine, operationId: string): Promise<void> {
  const before = engine.monotonic;
  let ahead = 0;
  engine.monotonic = () => before() + ahead;
  await runToEnd(engine, operationId, async (until) => {
    const ms = until - engine.monotonic();
    if (ms <= 0) return;
    const waited = Math.min(ms, 40);
    await wait(waited);
    ahead += ms - waited;
  });
}

/** Plays what must have happened before an operation of this kind may begin. */
async function prepare(engine: Engine, kind: OperationKind): Promise<string> {
  const instanceId = insertInstance(engine.db, { status: "spawning", version: "2.13.0" });
  for (const earlier of startOf[kind].after) {
    const operationId = await startOf[earlier].begin(engine, instanceId);
    await play(engine, operationId);
    expect(operationOf(engine.db, operationId).state).toBe("done");
  }
  return instanceId;
}

/** The one cloud has droplets of many worlds side by side: of a list, what bears the name of this world's instance. */
function ownPart(slug: string, list: Record<string, unknown>): unknown {
  const isOwn = (entry: unknown) => JSON.stringify(entry).includes(slug);
  return Object.fromEntries(
    Object.entries(list).map(([name, value]) => [name, Array.isArray(value) ? value.filter(isOwn) : value]),
  );
}

/** What is there must be what the books say; the cloud's lists lag behind a little. */
async function checkRules({ db, providers }: Engine): Promise<void> {
  // "acme-1a2b3c", also when it has moved to "acme-1a2b3c-moved".
  const slug =
    db
      .select()
      .from(instances)
      .get()
      ?.slug.replace(/-moved$/, "") ?? "";
  const world = {
    db,
    ask: async (path: string) => ownPart(slug, await ask(path)),
    isStored: async (key: string) => (await providers.backups.find(key)) !== undefined,
  };
  let broken = await brokenRules(world);
  for (let looks = 0; broken.length > 0 && looks < 100; looks += 1) {
    await wait(50);
    broken = await brokenRules(world);
  }
  expect(broken).toEqual([]);
}

/** The definition with one step's function wrapped. */
function withStep(
  definition: AnyDefinition,
  name: string,
  wrap: (run: Step<AnyFacts>["run"]) => Step<AnyFacts>["run"],
): AnyDefinition {
  const change = (step: Step<AnyFacts>) => (step.name === name ? { ...step, run: wrap(step.run) } : step);
  return {
    ...definition,
    steps: definition.steps.map((entry) =>
      "branches" in entry ? { branches: entry.branches.map((branch) => branch.map(change)) } : change(entry),
    ),
    undo: definition.undo.map(change),
    ...(definition.rescue === undefined
      ? {}
      : { rescue: { ...definition.rescue, steps: definition.rescue.steps.map(change) } }),
  };
}

/** The steps of an undo after an ordinary start. */
const plannedNames = (way: Step<AnyFacts>[]) => way.filter(isPlannedFor({})).map(({ name }) => name);

describe.each(Object.values(registry))("$kind", (definition) => {
  const names = plannedSteps(definition).map(({ step }) => step.name);

  /** The engine of each operation, because these tests run in parallel. */
  const engines = new Map<string, Engine>();
  const worldOf = (operationId: string): Engine => {
    const engine = engines.get(operationId);
    if (engine === undefined) throw new Error(`no engine runs ${operationId}`);
    return engine;
  };

  async function run(changed: AnyDefinition, after?: (engine: Engine, operationId: string) => Promise<void>) {
    const world = createWorld();
    try {
      const instanceId = await prepare(world.engine, definition.kind);
      world.engine.registry = { ...registry, [definition.kind]: changed };
      const operationId = await startOf[definition.kind].begin(world.engine, instanceId);
      engines.set(operationId, world.engine);
      await play(world.engine, operationId);
      await after?.(world.engine, operationId);
      await checkRules(world.engine);
      return operationOf(world.db, operationId);
    } finally {
      await tidy(world.engine);
      world.close();
    }
  }

  test.concurrent.each(names)("%s run twice is run once", async (name) => {
    const twice = withStep(definition, name, (step) => async (context) => {
      // The first result is lost, as when the process dies before it is written down.
      await step(context);
      return step(context);
    });
    expect((await run(twice)).state).toBe("done");
  });

  test.concurrent.each(names)("%s fails once, before it did anything: it is tried again", async (name) => {
    let failed = false;
    const flaky = withStep(definition, name, (step) => async (context) => {
      if (!failed) {
        failed = true;
        throw new ProviderError({ userMessage: "The other side is away.", detail: "503", retryable: true });
      }
      return step(context);
    });
    expect((await run(flaky)).state).toBe("done");
  });

  test.concurrent.each(names)(
    "%s fails for good, after its effect: Retry goes on from there",
    async (name) => {
      let broken = true;
      const broke = withStep(definition, name, (step) => async (context) => {
        if (!broken) return step(context);
        await step(context);
        throw new ProviderError({ userMessage: "The other side refuses.", detail: "422", retryable: false });
      });
      const operation = await run(broke, async (engine, operationId) => {
        expect(operationOf(engine.db, operationId)).toMatchObject({
          state: "failed",
          failure: { userMessage: "The other side refuses." },
        });
        broken = false;
        retryOperation(engine, operationId, "joe");
        await play(engine, operationId);
      });
      expect(operation.state).toBe("done");
    },
  );

  test.concurrent.each(names)("cancelled at %s leaves nothing behind", async (name) => {
    let refused = false;
    const cancelling = withStep(definition, name, (step) => async (context) => {
      const outcome = await step(context);
      try {
        cancelOperation(world.engine, context.operation.id, "joe");
      } catch (error) {
        // Past the point of no return it says so.
        expect(String(error)).toContain("can no longer be cancelled");
        refused = true;
      }
      return outcome;
    });
    const world = createWorld();
    try {
      const instanceId = await prepare(world.engine, definition.kind);
      world.engine.registry = { ...registry, [definition.kind]: cancelling };
      const operationId = await startOf[definition.kind].begin(world.engine, instanceId);
      await play(world.engine, operationId);
      const { state } = operationOf(world.db, operationId);
      // After the last step there is nothing left to stop.
      if (refused) expect(state).toBe("done");
      else if (name === names.at(-1)) expect(["done", "cancelled"]).toContain(state);
      else expect(state).toBe("cancelled");
      await checkRules(world.engine);
    } finally {
      await tidy(world.engine);
      world.close();
    }
  });

  const refused = () =>
    new ProviderError({ userMessage: "The other side refuses.", detail: "422", retryable: false });
  /** The last step but one: once it's done, so is everything that can be undone. */
  const turnsAt = names.at(-2) ?? names[0] ?? "";
  const statusOf = ({ db }: Engine) => db.select().from(instances).get()?.status;

  /** Cancels once that step has done its work. */
  const cancelled = (changed: AnyDefinition) =>
    withStep(changed, turnsAt, (step) => async (context) => {
      const outcome = await step(context);
      cancelOperation(worldOf(context.operation.id), context.operation.id, "joe");
      // If the only step had finished, there would be nothing to cancel.
      if (names.length === 1) throw refused();
      return outcome;
    });

  const undone = plannedNames(definition.undo);
  // What it does comes twice: before it fails, and again with Retry.
  test.concurrent.each(undone)(
    "%s of the undo fails for good, after its effect: Retry goes on",
    async (name) => {
      let isBroken = true;
      const broken = withStep(definition, name, (step) => async (context) => {
        const outcome = await step(context);
        if (isBroken) throw refused();
        return outcome;
      });
      const operation = await run(cancelled(broken), async (engine, operationId) => {
        expect(operationOf(engine.db, operationId)).toMatchObject({
          state: "failed",
          failure: { userMessage: "The other side refuses." },
        });
        isBroken = false;
        retryOperation(engine, operationId, "joe");
        await play(engine, operationId);
      });
      expect(operation).toMatchObject({ state: "cancelled", failure: null });
    },
  );

  // Where a rescue that got stuck must not be retried, Cancel goes back: see dataSafety.test.ts.
  const mayRetry = ({ replacesData }: Step<AnyFacts>) =>
    definition.noRetry?.({
      isProtected: false,
      status: "failed",
      isStuckReplacingData: replacesData === true,
    }) === undefined;
  const rescued = plannedNames(definition.rescue?.steps.filter(mayRetry) ?? []);
  const last = names.at(-1) ?? "";
  /** Fails at its last step for as long as that is so. */
  const failing = (changed: AnyDefinition, isSo: () => boolean) =>
    withStep(changed, last, (step) => async (context) => {
      if (isSo()) throw refused();
      return step(context);
    });

  test.concurrent.each(rescued)(
    "%s of the rescue fails for good, after its effect: Retry leads back to it",
    async (name) => {
      let isStuck = true;
      const broken = withStep(definition, name, (step) => async (context) => {
        const outcome = await step(context);
        if (isStuck) throw refused();
        return outcome;
      });
      const operation = await run(
        failing(broken, () => true),
        async (engine, operationId) => {
          expect(states(engine.db, operationId)[name]).toBe("failed");
          isStuck = false;
          retryOperation(engine, operationId, "joe");
          await play(engine, operationId);
          expect(states(engine.db, operationId)[name]).toMatch(/done|skipped/);
          expect(statusOf(engine)).toBe("running");
        },
      );
      expect(operation.state).toBe("failed");
    },
  );

  if (definition.undo.length === 0 || definition.rescue !== undefined) return;
  test.concurrent.each(names)("failed at %s, then cancelled: nothing is left behind", async (name) => {
    let isBroken = true;
    const broken = withStep(definition, name, (step) => async (context) => {
      const outcome = await step(context);
      if (!isBroken) return outcome;
      throw new ProviderError({ userMessage: "The other side refuses.", detail: "422", retryable: false });
    });
    const operation = await run(broken, async (engine, operationId) => {
      expect(operationOf(engine.db, operationId).state).toBe("failed");
      isBroken = false;
      const isFinal = plannedSteps(definition).find(({ step }) => step.name === name)?.step.final === true;
      if (isFinal) {
        // Past the point of no return there is only the way on.
        expect(() => cancelOperation(engine, operationId, "joe")).toThrow("no longer be cancelled");
        retryOperation(engine, operationId, "joe");
      } else cancelOperation(engine, operationId, "joe");
      await play(engine, operationId);
      expect(operationOf(engine.db, operationId).state).toBe(isFinal ? "done" : "cancelled");
    });
    expect(operation.failure).toBeNull();
  });
});

test("a droplet whose create was answered by silence is found, not bought twice", async () => {
  const world = createWorld();
  await fetch(`${cloud.apiUrl}/_faults`, {
    method: "POST",
    headers: { ...testAuthorization, "content-type": "application/json" },
    body: JSON.stringify({
      match: { method: "POST", path: "/v2/droplets" },
      times: 1,
      kind: "status-after-effect",
      status: 500,
    }),
  });
  const instanceId = await prepare(world.engine, "spawn");
  const operationId = begin(world.engine, instanceId, registry.spawn);
  await play(world.engine, operationId);
  expect(operationOf(world.db, operationId).state).toBe("done");
  await checkRules(world.engine);
  world.close();
});

test.each([-3_600_000, 3_600_000])("a spawn while the wall clock is set by %i ms, and back", async (jump) => {
  const world = createWorld();
  const { engine, db } = world;
  let steps = 0;
  engine.now = () => Date.now() + (steps % 2) * jump;
  const instanceId = await prepare(engine, "spawn");
  const operationId = begin(engine, instanceId, registry.spawn);
  await runToEnd(engine, operationId, async (until) => {
    steps += 1;
    await wait(Math.max(0, Math.min(until - engine.monotonic(), 500)));
  });
  expect(operationOf(db, operationId).state).toBe("done");
  await checkRules(engine);
  await tidy(engine);
  world.close();
});

/** A spawn that cannot succeed ends in a sentence, and Destroy puts away whatever it left. */
describe("a spawn that cannot succeed", () => {
  const impossible: [what: string, slug: string, break_: (engine: Engine) => void, userMessage: RegExp][] = [
    [
      "a droplet that never becomes active",
      "fault-never-active",
      () => {},
      /didn't become ready within 10 minutes/,
    ],
    ["a droplet without an address", "fault-no-address", () => {}, /didn't become ready within 10 minutes/],
    ["a droplet that refuses SSH", "fault-ssh-refused", () => {}, /didn't become ready within 10 minutes/],
    [
      "a playbook that fails",
      "playbook",
      ({ providers }) => {
        providers.playbooks.readRun = async () => ({
          state: "failed",
          cursor: 2,
          events: [
            { at: 1, line: "TASK [app : Pull]", task: { index: 5, total: 10, name: "Pull" } },
            { at: 2, line: 'fatal: [droplet]: FAILED! => {"msg": "no space left on device"}', failed: true },
          ],
        });
      },
      /.+\./,
    ],
    [
      "an intranet that never answers",
      "silent",
      ({ providers }) => {
        providers.probe.answer = async () => ({
          ok: false,
          ms: 1,
          userMessage: "Nothing listens there yet.",
        });
      },
      /didn't answer there within 10 minutes/,
    ],
  ];

  test.concurrent.each(impossible)("%s", async (_what, name, breakIt, userMessage) => {
    const world = createWorld();
    const { engine, db } = world;
    try {
      breakIt(engine);
      // Time passes ten times a look: ten minutes are over after a few of them.
      let ahead = 0;
      engine.monotonic = () => Date.now() + ahead;
      const instanceId = insertInstance(db, { slug: `${name}-${newId().slice(0, 6)}`, status: "spawning" });
      const operationId = begin(engine, instanceId, registry.spawn);
      await runToEnd(engine, operationId, async () => {
        await wait(30);
        // A droplet that will be ready is waited for, however long this machine takes.
        const { "droplet-ready": ready } = states(db, operationId);
        if (ready === "done" || name.startsWith("fault-")) ahead += 5000;
      });
      const operation = operationOf(db, operationId);
      expect(operation.state).toBe("failed");
      expect(operation.failure?.userMessage).toMatch(userMessage);
      expect(db.select().from(mail).all()).toMatchObject([{ kind: "failed", round: 0 }]);
      engine.monotonic = Date.now;
      const { createAskedAt, dropletId, address } = operation.facts;
      const destroyed = begin(engine, instanceId, registry.destroy, { createAskedAt, dropletId, address });
      await play(engine, destroyed);
      expect(operationOf(db, destroyed).state).toBe("done");
      await checkRules(engine);
    } finally {
      await tidy(world.engine);
      world.close();
    }
  });
});
