import { join } from "node:path";
import { Readable } from "node:stream";
import { eq } from "drizzle-orm";
import { afterEach, describe, expect, test } from "vitest";
import { backups, instances } from "#db/schema.ts";
import { backUp } from "#server/backups/commands/backUp.ts";
import { restoreBackup } from "#server/backups/commands/restoreBackup.ts";
import { renameInstance } from "#server/instances/commands/renameInstance.ts";
import { setPower } from "#server/instances/commands/setPower.ts";
import { refusalsOf, stateOf } from "#server/instances/refusals.ts";
import { createFolderStore } from "#server/providers/backups/folderStore.ts";
import { verifyArchive } from "#server/providers/backups/verify.ts";
import { ProviderError } from "#server/providers/errors.ts";
import { cancelOperation, retryOperation } from "./cancelAndRetry.ts";
import type { AnyDefinition, AnyFacts, Providers, Step } from "./engine/define.ts";
import { plannedSteps } from "./engine/define.ts";
import { logLines } from "./queries.ts";
import { registry } from "./registry.ts";
import { instanceOf } from "./startOperation.ts";
import { createDataDroplet, postsIn } from "./testing/testData.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  only,
  operationOf,
  runToEnd,
} from "./testing/testEngine.ts";
import { withHalfData } from "./unfinishedChanges.ts";

/** People write in their intranets while operations run, fail, are tried again and cancelled: nothing of it is lost. */

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** An intranet that runs, with one good backup and one post since. */
async function createWorld() {
  const { engine, db, clock, folder, close } = createTestEngine();
  closing.push(close);
  const { droplet, playbooks, transfer, answer } = createDataDroplet("2.13.0");
  const store = createFolderStore(join(folder, "backups"));
  engine.providers = only<Providers>("providers", {
    ...{ playbooks, transfer, verifyArchive, backups: store },
    probe: { answer, variablesInEffect: async () => undefined },
  });
  const instanceId = insertInstance(db, {
    ...{
      version: "2.13.0",
      answeredAt: 1,
      dropletId: 1,
      ipAddress: "127.0.0.9",
      hostKey: "ssh-ed25519 AAAA",
    },
  });
  let count = 0;
  const world = {
    engine,
    droplet,
    instanceId,
    backupId: "",
    /** Somebody writes between any two looks of the engine. */
    play: (operationId: string) =>
      runToEnd(engine, operationId, (until) => {
        count += 1;
        droplet.post(`post ${count}`);
        clock.now = Math.max(clock.now, until);
      }),
    version: () => db.select().from(instances).where(eq(instances.id, instanceId)).get()?.version,
    /** What was acknowledged, and is neither there nor in a good backup. */
    async lost() {
      const found = new Set(droplet.posts);
      for (const { key } of db.select().from(backups).where(eq(backups.state, "good")).all())
        for (const post of await postsIn(store, key)) found.add(post);
      return droplet.acknowledged.filter((post) => !found.has(post));
    },
  };
  droplet.post("before the backup");
  await world.play(backUp(engine, { instanceId }, "joe"));
  world.backupId = db.select().from(backups).get()?.id ?? "";
  droplet.post("after the backup");
  return world;
}
type World = Awaited<ReturnType<typeof createWorld>>;

const starts = {
  restore: ({ engine, backupId }: World) => restoreBackup(engine, { backupId }, "joe"),
  upgrade: ({ engine, instanceId }: World) =>
    begin(engine, instanceId, engine.registry.upgrade, { version: "2.14.0", previousVersion: "2.13.0" }),
};

type Run = Step<AnyFacts>["run"];
function withStep(definition: AnyDefinition, name: string, wrap: (run: Run) => Run): AnyDefinition {
  const change = (step: Step<AnyFacts>) => (step.name === name ? { ...step, run: wrap(step.run) } : step);
  return {
    ...definition,
    steps: definition.steps.map((entry) => ("branches" in entry ? entry : change(entry))),
    ...(definition.rescue === undefined
      ? {}
      : { rescue: { ...definition.rescue, steps: definition.rescue.steps.map(change) } }),
  };
}
const refuses = () =>
  new ProviderError({ userMessage: "The other side refuses.", detail: "422", retryable: false });

/** Breaks a step, before or after its effect, for as long as `isBroken` says. */
function breakStep({ engine }: World, kind: keyof typeof starts, name: string, when: "before" | "after") {
  const broken = { isBroken: true };
  const wrapped = withStep(registry[kind], name, (run) => async (context) => {
    if (!broken.isBroken) return run(context);
    if (when === "after") await run(context);
    throw refuses();
  });
  engine.registry = { ...registry, [kind]: wrapped };
  return broken;
}

/** An operation whose last step failed, and whose rollback failed at the step of this name. */
async function stuckAt(world: World, kind: keyof typeof starts, name: string, when: "before" | "after") {
  const { engine } = world;
  const definition = breakStep(world, kind, "app-ready", "after");
  const stuck = { isStuck: true };
  const wrapped = withStep(engine.registry[kind], name, (run) => async (context) => {
    if (!stuck.isStuck) return run(context);
    if (when === "after") await run(context);
    throw refuses();
  });
  engine.registry = { ...engine.registry, [kind]: wrapped };
  const operationId = starts[kind](world);
  await world.play(operationId);
  expect(operationOf(engine.db, operationId).state).toBe("failed");
  stuck.isStuck = false;
  return { operationId, definition };
}

async function expectAsBefore(world: World): Promise<void> {
  expect(await world.lost()).toEqual([]);
  expect(world.droplet.posts).toContain("after the backup");
  expect(world.droplet).toMatchObject({ isUp: true, version: "2.13.0" });
  expect(world.version()).toBe("2.13.0");
}

describe.each(["restore", "upgrade"] as const)("%s", (kind) => {
  const names = plannedSteps(registry[kind]).map(({ step }) => step.name);
  const rescues = (registry[kind].rescue?.steps ?? []).map((step) => step.name);

  test("the app is down from the dump until the other data is there", async () => {
    const world = await createWorld();
    const up: string[] = [];
    for (const name of names) {
      const wrapped = withStep(world.engine.registry[kind], name, (run) => async (context) => {
        if (world.droplet.isUp) up.push(name);
        return run(context);
      });
      world.engine.registry = { ...world.engine.registry, [kind]: wrapped };
    }
    const operationId = starts[kind](world);
    await world.play(operationId);
    expect(operationOf(world.engine.db, operationId).state).toBe("done");
    expect(new Set(up)).toEqual(new Set(["dump", "app-ready"]));
    expect(await world.lost()).toEqual([]);
  });

  test.each(names)("%s fails, twice, and then works: nothing is lost in between", async (name) => {
    for (const when of ["before", "after"] as const) {
      const world = await createWorld();
      const broken = breakStep(world, kind, name, when);
      const operationId = starts[kind](world);
      for (let round = 0; round < 2; round += 1) {
        if (round > 0) retryOperation(world.engine, operationId, "joe");
        await world.play(operationId);
        expect(operationOf(world.engine.db, operationId).state).toBe("failed");
        await expectAsBefore(world);
        world.droplet.post(`after round ${round}`);
        expect(world.droplet.posts).toContain(`after round ${round}`);
      }
      broken.isBroken = false;
      retryOperation(world.engine, operationId, "joe");
      await world.play(operationId);
      expect(operationOf(world.engine.db, operationId).state).toBe("done");
      expect(world.droplet.isUp).toBe(true);
      // The next backup tidies up, and takes away nothing that is nowhere else.
      await world.play(backUp(world.engine, { instanceId: world.instanceId }, "joe"));
      expect(await world.lost()).toEqual([]);
      expect(world.droplet.kept.size).toBe(0);
    }
  });

  test.each(names)("cancelled at %s: everything is as before", async (name) => {
    const world = await createWorld();
    const wrapped = withStep(registry[kind], name, (run) => async (context) => {
      const outcome = await run(context);
      if (context.operation.round === 0) cancelOperation(world.engine, context.operation.id, "joe");
      return outcome;
    });
    world.engine.registry = { ...registry, [kind]: wrapped };
    const operationId = starts[kind](world);
    await world.play(operationId);
    // After the last step there is nothing left to stop.
    if (name === names.at(-1)) return;
    expect(operationOf(world.engine.db, operationId).state).toBe("cancelled");
    await expectAsBefore(world);
  });

  test.each(names)("dies at %s before that is written down, and is cancelled", async (name) => {
    const world = await createWorld();
    const wrapped = withStep(registry[kind], name, (run) => async (context) => {
      await run(context);
      cancelOperation(world.engine, context.operation.id, "joe");
      throw new ProviderError({ userMessage: "The process dies here.", detail: "", retryable: true });
    });
    world.engine.registry = { ...registry, [kind]: wrapped };
    const operationId = starts[kind](world);
    await world.play(operationId);
    expect(operationOf(world.engine.db, operationId).state).toBe("cancelled");
    await expectAsBefore(world);
  });

  test.each(rescues)(
    "the way back gets stuck at %s, and Retry fails again: it leads to the first data",
    async (name) => {
      for (const when of ["before", "after"] as const) {
        const world = await createWorld();
        const { operationId, definition } = await stuckAt(world, kind, name, when);
        if (name === "rescue-data") {
          // What is there may be half of the data: Cancel leads to the first data instead.
          expect(() => retryOperation(world.engine, operationId, "joe")).toThrow(/Cancel this operation/);
          definition.isBroken = false;
          cancelOperation(world.engine, operationId, "joe");
          await world.play(operationId);
          await expectAsBefore(world);
          continue;
        }
        retryOperation(world.engine, operationId, "joe");
        await world.play(operationId);
        await expectAsBefore(world);
        definition.isBroken = false;
        retryOperation(world.engine, operationId, "joe");
        await world.play(operationId);
        expect(operationOf(world.engine.db, operationId).state).toBe("done");
        expect(await world.lost()).toEqual([]);
      }
    },
  );
});

describe("after an upgrade whose rollback failed", () => {
  const rescues = (registry.upgrade.rescue?.steps ?? []).map((step) => step.name);
  const cases = rescues.flatMap((name) => [
    { name, when: "before" as const },
    // After the last step the rollback is complete.
    ...(name === rescues.at(-1) ? [] : [{ name, when: "after" as const }]),
  ]);

  test.each(cases)(
    "$when $name, a restore ends with the version its page shows, or is refused, and no older version opens the data",
    async ({ name, when }) => {
      const world = await createWorld();
      await stuckAt(world, "upgrade", name, when);
      if (name === "rescue-data") {
        expect(() => starts.restore(world)).toThrow(/data may be incomplete/);
      } else {
        const restore = starts.restore(world);
        await world.play(restore);
        const { state, failure } = operationOf(world.engine.db, restore);
        expect({ state, failure }).toEqual({ state: "done", failure: null });
        expect(world.droplet).toMatchObject({ isUp: true, version: world.version() });
      }
      expect(world.droplet.openedByOlder).toEqual([]);
      // A dump that a rollback couldn't store stays on the droplet.
      const kept = new Set([...world.droplet.archives.values()].flat());
      expect((await world.lost()).filter((post) => !kept.has(post))).toEqual([]);
    },
  );

  test.each(cases)("$when $name, Cancel goes back to the previous version", async ({ name, when }) => {
    const world = await createWorld();
    const { operationId } = await stuckAt(world, "upgrade", name, when);
    cancelOperation(world.engine, operationId, "joe");
    await world.play(operationId);
    expect(operationOf(world.engine.db, operationId).state).toBe("cancelled");
    await expectAsBefore(world);
    expect(world.droplet.openedByOlder).toEqual([]);
  });
});

describe("after an upgrade whose rollback got stuck while it put the data back", () => {
  const names = { company: "Acme & Sons", contactName: "Petra", contactEmail: "petra@acme.example" };
  const joe = "joe";
  async function half() {
    const world = await createWorld();
    const { operationId } = await stuckAt(world, "upgrade", "rescue-data", "before");
    world.engine.registry = registry;
    return { ...world, operationId };
  }

  test("nothing begins that would call what may be half of its data an intranet", async () => {
    const { engine, instanceId } = await half();
    expect(() => renameInstance(engine, { instanceId, ...names }, joe)).toThrow(/data may be incomplete/);
    expect(() => setPower(engine, { instanceId, power: "restart" }, joe)).toThrow(/data may be incomplete/);
    // Its buttons say so too.
    const shown = refusalsOf(
      stateOf(instanceOf(engine.db, instanceId), {
        hasBackup: true,
        dataMayBeHalf: withHalfData(engine.db, [instanceId]).has(instanceId),
      }),
    );
    expect(shown).toMatchObject({ rename: expect.stringMatching(/data may be incomplete/) });
  });

  test.each([
    ["before", "undo-dump"],
    ["before", "undo-send"],
    ["on", "undo-data"],
    ["after", "undo-install"],
  ])("that stays so if its Cancel gets stuck %s the data, at %s", async (where, name) => {
    const { engine, droplet, instanceId, operationId, play } = await half();
    const { undo } = registry.upgrade;
    const refusing = undo.map((step) =>
      step.name === name ? { ...step, run: () => Promise.reject(refuses()) } : step,
    );
    engine.registry = { ...registry, upgrade: { ...registry.upgrade, undo: refusing } };
    cancelOperation(engine, operationId, joe);
    await play(operationId);
    expect(operationOf(engine.db, operationId).state).toBe("failed");
    const rename = () => renameInstance(engine, { instanceId, ...names }, joe);
    if (where === "after") expect(rename).not.toThrow();
    else expect(rename).toThrow(/data may be incomplete/);
    if (where === "after") return;
    engine.registry = registry;
    retryOperation(engine, operationId, joe);
    await play(operationId);
    expect(operationOf(engine.db, operationId).state).toBe("cancelled");
    expect(droplet.posts).toContain("after the backup");
    expect(rename).not.toThrow();
  });

  test("Retry doesn't back that up, and Cancel puts all of it back", async () => {
    const { engine, droplet, operationId, play } = await half();
    expect(() => retryOperation(engine, operationId, joe)).toThrow(/Cancel this operation/);
    cancelOperation(engine, operationId, joe);
    await play(operationId);
    expect(operationOf(engine.db, operationId).state).toBe("cancelled");
    expect(droplet.posts).toContain("after the backup");
  });
});

describe("after a restore that failed while it put the backup's data in place, and whose rollback failed", () => {
  test.each(["rescue-dump", "rescue-data"])(
    "at %s, nothing begins that would call it an intranet, until it is cancelled",
    async (name) => {
      const world = await createWorld();
      const { engine, instanceId } = world;
      breakStep(world, "restore", "put-back", "after");
      const wrapped = withStep(engine.registry.restore, name, () => () => Promise.reject(refuses()));
      engine.registry = { ...registry, restore: wrapped };
      const operationId = starts.restore(world);
      await world.play(operationId);
      engine.registry = registry;
      expect(operationOf(engine.db, operationId).state).toBe("failed");
      const names = { company: "Acme & Sons", contactName: "Petra", contactEmail: "petra@acme.example" };
      const rename = () => renameInstance(engine, { instanceId, ...names }, "joe");
      expect(rename).toThrow(/data may be incomplete/);
      expect(() => retryOperation(engine, operationId, "joe")).toThrow(/Cancel this operation/);
      cancelOperation(engine, operationId, "joe");
      await world.play(operationId);
      await expectAsBefore(world);
      expect(rename).not.toThrow();
    },
  );

  test("a rollback that got stuck after the data was back takes nothing away", async () => {
    const world = await createWorld();
    await stuckAt(world, "restore", "rescue-ready", "before");
    expect(() =>
      setPower(world.engine, { instanceId: world.instanceId, power: "restart" }, "joe"),
    ).not.toThrow();
  });
});

test("a new version that does not answer gives way to the one from before, with all that was written", async () => {
  const world = await createWorld();
  world.droplet.broken.add("2.14.0");
  const operationId = starts.upgrade(world);
  for (let round = 0; round < 3; round += 1) {
    if (round > 0) retryOperation(world.engine, operationId, "joe");
    world.droplet.post(`before round ${round}`);
    await world.play(operationId);
    await expectAsBefore(world);
    expect(world.droplet.posts).toContain(`before round ${round}`);
  }
});

describe("a store of backups", () => {
  /** Each key's content is there after it was asked for so many times more. */
  function hideFor(world: World, times: number) {
    const { backups: store } = world.engine.providers;
    const asked = new Map<string, number>();
    const stored: string[] = [];
    world.engine.providers.backups = {
      ...store,
      put: async (key, content, signal) => {
        if (key.endsWith(".tar.gz")) stored.push(key);
        return store.put(key, content, signal);
      },
      get: async (key, signal) => {
        const count = (asked.get(key) ?? 0) + 1;
        asked.set(key, count);
        return store.get(count > times ? key : `${key}-not-yet`, signal);
      },
    };
    return stored;
  }
  const backUpOnce = async (world: World) => {
    const operationId = backUp(world.engine, { instanceId: world.instanceId }, "joe");
    await world.play(operationId);
    return operationOf(world.engine.db, operationId);
  };

  test("that shows a backup late is waited for", async () => {
    const world = await createWorld();
    const stored = hideFor(world, 5);
    expect((await backUpOnce(world)).state).toBe("done");
    expect(stored).toHaveLength(1);
    expect(await world.lost()).toEqual([]);
  });

  test("that has lost a backup is given it once more, once a round", async () => {
    const world = await createWorld();
    const stored = hideFor(world, Number.POSITIVE_INFINITY);
    const failed = await backUpOnce(world);
    expect(failed).toMatchObject({
      state: "failed",
      failure: {
        userMessage: "The backup was stored, but is missing now. Check the backup store, then try again.",
      },
    });
    expect(stored).toHaveLength(2);
    retryOperation(world.engine, failed.id, "joe");
    await world.play(failed.id);
    expect(stored.length).toBeGreaterThan(2);
  });

  test("that damages a backup is given it once more", async () => {
    const world = await createWorld();
    const { verifyArchive: verify } = world.engine.providers;
    let looks = 0;
    world.engine.providers.verifyArchive = async (...given) => {
      looks += 1;
      return looks > 1 ? verify(...given) : { ok: false, userMessage: "It is damaged.", detail: "" };
    };
    const stored = hideFor(world, 0);
    expect((await backUpOnce(world)).state).toBe("done");
    expect(stored).toHaveLength(2);
    expect(await world.lost()).toEqual([]);
  });

  test("is read back, and the log says what was found", async () => {
    const world = await createWorld();
    const { id, state } = await backUpOnce(world);
    expect(state).toBe("done");
    const lines = logLines(world.engine.db, id, { step: "verify" }).map((line) => line.text);
    expect(lines).toContainEqual(expect.stringMatching(/^1 file, \d+ bytes, SHA-256 [0-9a-f]{64}$/));
  });

  test("that keeps damaging a backup fails it, and Retry is the one way out it names", async () => {
    const world = await createWorld();
    const { verifyArchive: verify } = world.engine.providers;
    const { backups: store } = world.engine.providers;
    let isBroken = true;
    world.engine.providers.verifyArchive = async (...given) => {
      if (isBroken) await store.put(given[1], Readable.from(["damaged"]));
      return verify(...given);
    };
    const failed = await backUpOnce(world);
    expect(failed).toMatchObject({
      state: "failed",
      failure: {
        userMessage:
          "The backup can't be opened: it was damaged in storage. Check the backup store, then try again.",
      },
    });
    isBroken = false;
    retryOperation(world.engine, failed.id, "joe");
    await world.play(failed.id);
    expect(operationOf(world.engine.db, failed.id).state).toBe("done");
    const [good] = world.engine.db.select().from(backups).where(eq(backups.operationId, failed.id)).all();
    expect(good?.state).toBe("good");
  });
});
