import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { and, eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { instances, mail, operations, steps } from "../../db/schema.ts";
import { type LocalCloud, startLocalCloud } from "../../local-cloud/cloud.ts";
import { newId } from "../ids.ts";
import { createDigitalOcean } from "../providers/digitalocean/digitalocean.ts";
import { ProviderError } from "../providers/errors.ts";
import type { PlaybookRunner } from "../providers/playbooks/playbooks.ts";
import { scanHostKey } from "../providers/ssh.ts";
import { catalogue } from "./catalogue.ts";
import { cancelOperation, retryOperation } from "./commands.ts";
import { type AnyDefinition, type AnyFacts, plannedSteps, type Step } from "./definition.ts";
import type { Engine } from "./engine.ts";
import { begin, createTestEngine, insertInstance, operationOf, runToEnd } from "./testEngine.ts";

/**
 * Every step of every operation, on the local cloud over HTTP: run twice, failed once, cancelled, in one loop over
 * the definitions. A new operation is covered the moment it is declared.
 */

const folder = mkdtempSync(join(tmpdir(), "spawner-lifecycle-"));
let cloud: LocalCloud;
let publicKey = "";
const sshPort = 4922;

beforeAll(async () => {
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
  publicKey = readFileSync(join(folder, "key.pub"), "utf8").trim();
  cloud = await startLocalCloud({
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
  rmSync(folder, { recursive: true, force: true });
});

const ask = async (path: string): Promise<unknown> =>
  (await fetch(`${cloud.apiUrl}/v2/${path}`, { headers: { authorization: "Bearer test" } })).json();

/** An engine on the real client and cloud; the playbook and the intranet answer at once, the mail is counted. */
function createWorld() {
  const sent: string[] = [];
  const began = new Set<string>();
  const playbooks: PlaybookRunner = {
    ensureRun: async ({ key }) => void began.add(key),
    readRun: async (key, cursor) => ({
      state: "succeeded",
      cursor: 1,
      events: cursor === 0 && began.has(key) ? [{ at: Date.now(), line: `ok: ${key}` }] : [],
    }),
    cancelRun: async () => {},
    forgetRun: async () => {},
    check: async () => ({ ok: true, sentence: "Ready." }),
  };
  const world = createTestEngine({ now: Date.now });
  const { engine, db } = world;
  engine.site = { ...engine.site, sshPort, publicKey, keyName: `test-${newId()}` };
  engine.providers = {
    digitalocean: createDigitalOcean({ token: "test", apiUrl: cloud.apiUrl }),
    playbooks,
    probe: {
      answer: async () => ({ ok: true, status: 200, version: "2.14.0", ms: 5, sentence: "It answers." }),
    },
    scanHostKey,
    sendMail: async (operationId, kind) => {
      sent.push(`${operationId} ${kind}`);
      db.insert(mail)
        .values({ id: newId(), operationId, kind, round: 0, recipient: "joe", createdAt: 1, dueAt: 1 })
        .onConflictDoNothing()
        .run();
    },
  };
  return { ...world, began };
}

/** Backoffs and polls are not waited for: the step is due at once, the fields' own waiting is what is real. */
async function play(engine: Engine, operationId: string): Promise<void> {
  await runToEnd(engine, operationId, async (until) => {
    if (until > engine.now()) await wait(Math.min(until - engine.now(), 40));
    engine.db
      .update(steps)
      .set({ dueAt: 0 })
      .where(and(eq(steps.operationId, operationId), eq(steps.state, "running")))
      .run();
  });
}

/** An instance in the state in which this operation may begin. */
async function prepare(engine: Engine, kind: string): Promise<string> {
  const instanceId = insertInstance(engine.db, { status: "spawning" });
  if (kind !== "spawn") {
    const spawned = begin(engine, instanceId, catalogue.spawn);
    await play(engine, spawned);
    expect(operationOf(engine.db, spawned).state).toBe("done");
  }
  return instanceId;
}

const dropletList = z.object({ droplets: z.array(z.object({ id: z.number(), tags: z.array(z.string()) })) });
const recordList = z.object({ domain_records: z.array(z.object({ data: z.string() })).optional() });

/** The rules that hold whatever happened, checked against what the cloud really has. */
async function checkInvariants(engine: Engine, instanceId: string): Promise<void> {
  const instance = engine.db.select().from(instances).where(eq(instances.id, instanceId)).get();
  if (instance === undefined) throw new Error("the instance is gone");
  const tag = `spawner-instance-${instanceId}`;
  // A deleted droplet stays in lists for a moment: wait until they agree with what is asked for by id.
  let droplets = dropletList.parse(await ask(`droplets?tag_name=${tag}&per_page=200`)).droplets;
  for (let tries = 0; instance.dropletId === null && droplets.length > 0 && tries < 100; tries += 1) {
    await wait(50);
    droplets = dropletList.parse(await ask(`droplets?tag_name=${tag}&per_page=200`)).droplets;
  }
  expect(droplets.map((droplet) => droplet.id)).toEqual(
    instance.dropletId === null ? [] : [instance.dropletId],
  );
  const name = `${instance.slug}.${instance.domain}`;
  const records =
    recordList.parse(await ask(`domains/${instance.domain}/records?type=A&name=${name}`)).domain_records ??
    [];
  const expected = instance.status === "running" ? [instance.address] : records.map(() => instance.address);
  expect(records.map((record) => record.data)).toEqual(expected);
  if (instance.status === "destroyed") expect(records).toEqual([]);
  const live = engine.db
    .select()
    .from(operations)
    .where(and(eq(operations.instanceId, instanceId), eq(operations.state, "running")))
    .all();
  expect(live).toEqual([]);
  const mails = engine.db.select().from(mail).all();
  expect(new Set(mails.map((row) => `${row.operationId} ${row.kind} ${row.round}`)).size).toBe(mails.length);
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
  };
}

describe.each(Object.values(catalogue))("$kind", (definition) => {
  const names = plannedSteps(definition).map(({ step }) => step.name);

  async function run(changed: AnyDefinition, after?: (engine: Engine, operationId: string) => Promise<void>) {
    const world = createWorld();
    try {
      const instanceId = await prepare(world.engine, definition.kind);
      world.engine.catalogue = { ...catalogue, [definition.kind]: changed };
      const operationId = begin(world.engine, instanceId, changed);
      await play(world.engine, operationId);
      await after?.(world.engine, operationId);
      await checkInvariants(world.engine, instanceId);
      return operationOf(world.db, operationId);
    } finally {
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
        throw new ProviderError({ sentence: "The other side is away.", detail: "503", retryable: true });
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
        throw new ProviderError({ sentence: "The other side refuses.", detail: "422", retryable: false });
      });
      const operation = await run(broke, async (engine, operationId) => {
        expect(operationOf(engine.db, operationId)).toMatchObject({
          state: "failed",
          failure: { sentence: "The other side refuses." },
        });
        broken = false;
        retryOperation(engine.db, operationId, "joe", engine.now());
        await play(engine, operationId);
      });
      expect(operation.state).toBe("done");
    },
  );

  if (!definition.cancellable) {
    test("cannot be cancelled, and says so", async () => {
      const world = createWorld();
      const operationId = begin(world.engine, insertInstance(world.db), definition);
      expect(() => cancelOperation(world.db, operationId, "joe", Date.now())).toThrow(
        "cannot be stopped half-way",
      );
      world.close();
    });
    return;
  }

  test.concurrent.each(names)("cancelled at %s leaves nothing behind", async (name) => {
    const cancelling = withStep(definition, name, (step) => async (context) => {
      const outcome = await step(context);
      cancelOperation(world.engine.db, context.operation.id, "joe", Date.now());
      return outcome;
    });
    const world = createWorld();
    try {
      const instanceId = await prepare(world.engine, definition.kind);
      world.engine.catalogue = { ...catalogue, [definition.kind]: cancelling };
      const operationId = begin(world.engine, instanceId, cancelling);
      await play(world.engine, operationId);
      const { state } = operationOf(world.db, operationId);
      // After the last step there is nothing left to stop.
      expect(state).toBe(name === names.at(-1) ? "done" : "cancelled");
      await checkInvariants(world.engine, instanceId);
    } finally {
      world.close();
    }
  });
});

test("a droplet whose create was answered by silence is found, not bought twice", async () => {
  const world = createWorld();
  await fetch(`${cloud.apiUrl}/_faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      match: { method: "POST", path: "/v2/droplets" },
      times: 1,
      kind: "status-after-effect",
      status: 500,
    }),
  });
  const instanceId = await prepare(world.engine, "spawn");
  const operationId = begin(world.engine, instanceId, catalogue.spawn);
  await play(world.engine, operationId);
  expect(operationOf(world.db, operationId).state).toBe("done");
  await checkInvariants(world.engine, instanceId);
  world.close();
});

/** A spawn that cannot succeed ends in a sentence, and Destroy puts away whatever it left. */
describe("a spawn that cannot succeed", () => {
  const impossible: [what: string, slug: string, break_: (engine: Engine) => void, sentence: RegExp][] = [
    [
      "a droplet that never becomes active",
      "fault-never-active",
      () => {},
      /did not become ready within 10 minutes/,
    ],
    ["a droplet without an address", "fault-no-address", () => {}, /did not become ready within 10 minutes/],
    ["a droplet that refuses SSH", "fault-ssh-refused", () => {}, /did not become ready within 10 minutes/],
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
        providers.probe.answer = async () => ({ ok: false, ms: 1, sentence: "Nothing listens there yet." });
      },
      /did not answer there within 10 minutes/,
    ],
  ];

  test.concurrent.each(impossible)("%s", async (_what, name, breakIt, sentence) => {
    const world = createWorld();
    const { engine, db } = world;
    try {
      breakIt(engine);
      // Time passes ten times a look: ten minutes are over after a few of them.
      let ahead = 0;
      engine.now = () => Date.now() + ahead;
      const instanceId = insertInstance(db, { slug: `${name}-${newId().slice(0, 6)}`, status: "spawning" });
      const operationId = begin(engine, instanceId, catalogue.spawn);
      await runToEnd(engine, operationId, async () => {
        await wait(30);
        ahead += 5000;
      });
      const operation = operationOf(db, operationId);
      expect(operation.state).toBe("failed");
      expect(operation.failure?.sentence).toMatch(sentence);
      expect(db.select().from(mail).all()).toMatchObject([{ kind: "failed", round: 0 }]);
      engine.now = Date.now;
      const { createAskedAt, dropletId, address } = operation.facts;
      const destroyed = begin(engine, instanceId, catalogue.destroy, { createAskedAt, dropletId, address });
      await play(engine, destroyed);
      expect(operationOf(db, destroyed).state).toBe("done");
      await checkInvariants(engine, instanceId);
    } finally {
      world.close();
    }
  });
});
