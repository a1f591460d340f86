import { asc, eq } from "drizzle-orm";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { events, instances, mail, wakeUps } from "../../db/schema.ts";
import { ProviderError } from "../providers/errors.ts";
import { advance } from "./advance.ts";
import { catalogue } from "./catalogue.ts";
import { cancelOperation, retryOperation } from "./commands.ts";
import {
  type AnyFacts,
  defineOperation,
  done,
  later,
  poll,
  type Step,
  StepFailure,
  step,
  together,
} from "./definition.ts";
import type { Engine } from "./engine.ts";
import { stepsOf } from "./outcome.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  insertUser,
  operationOf,
  runToEnd,
  states,
} from "./testEngine.ts";

type World = ReturnType<typeof createTestEngine>;
const worlds: World[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) world.close();
});

const define = (
  steps: Parameters<typeof defineOperation<AnyFacts>>[0]["steps"],
  undo: Step<AnyFacts>[] = [],
) =>
  defineOperation<AnyFacts>({
    kind: "spawn",
    label: "Spawn",
    facts: z.record(z.string(), z.unknown()),
    steps,
    undo,
    status: { during: "spawning", done: "running", cancelled: "destroyed", failed: "failed" },
    mutating: true,
    cancelling: "",
  });

function start(definition: ReturnType<typeof define>, overrides: Partial<Engine> = {}) {
  const world = createTestEngine(overrides);
  worlds.push(world);
  world.engine.catalogue = { ...catalogue, spawn: definition };
  const instanceId = insertInstance(world.db);
  const id = begin(world.engine, instanceId, definition);
  const instance = () => world.db.select().from(instances).where(eq(instances.id, instanceId)).get();
  const toEnd = () =>
    runToEnd(world.engine, id, (until) => {
      world.clock.now = Math.max(world.clock.now, until);
    });
  return { ...world, id, instance, toEnd, definition };
}

const noop = (name: string) => step<AnyFacts>(name, name, async () => done());

describe("a step that is watched over", () => {
  const watched = (looks: (() => void)[]) =>
    define([
      poll(
        "it",
        "It",
        { everyMs: 60_000, giveUp: { afterMs: 600_000, sentence: "No." } },
        async (context) => {
          looks.push(context.lookNow);
          return later();
        },
      ),
    ]);

  test("is looked at as soon as its watcher says so", async () => {
    const looks: (() => void)[] = [];
    const woken: string[] = [];
    const { engine, db, id, clock } = start(watched(looks), { wake: (operation) => woken.push(operation) });
    await advance(engine, id);
    expect(stepsOf(db, id)[0]?.dueAt).toBe(clock.now + 60_000);
    woken.length = 0;
    clock.now += 500;
    looks[0]?.();
    expect(stepsOf(db, id)[0]?.dueAt).toBe(clock.now);
    expect(db.select().from(wakeUps).all()).toMatchObject([
      { operationId: id, dueAt: clock.now, sentAt: null },
    ]);
    expect(woken).toEqual([id]);
    await advance(engine, id);
    expect(looks).toHaveLength(2);
  });

  test("does not hear a watcher of an earlier look", async () => {
    const looks: (() => void)[] = [];
    const { engine, db, id, clock } = start(watched(looks));
    await advance(engine, id);
    clock.now += 60_000;
    await advance(engine, id);
    looks[0]?.();
    expect(stepsOf(db, id)[0]?.dueAt).toBe(clock.now + 60_000);
  });
});

describe("one wake-up", () => {
  test("runs one step and hands its facts to the next", async () => {
    const seen: unknown[] = [];
    const { engine, db, id, instance, toEnd } = start(
      define([
        step("one", "One", async () => done({ facts: { answer: 42 } })),
        step("two", "Two", async ({ facts }) => {
          seen.push(facts.answer);
          return done({ instance: { address: "127.77.0.9" } });
        }),
      ]),
    );
    await advance(engine, id);
    expect(states(db, id)).toEqual({ one: "done", two: "waiting" });
    await toEnd();
    expect(seen).toEqual([42]);
    expect(operationOf(db, id).state).toBe("done");
    expect(instance()).toMatchObject({ status: "running", address: "127.77.0.9" });
    expect(db.select().from(wakeUps).all()).toEqual([]);
  });

  test("too many are harmless", async () => {
    let calls = 0;
    const { engine, db, id } = start(
      define([
        step("slow", "Slow", async () => {
          calls += 1;
          await new Promise((resolve) => setImmediate(resolve));
          return done();
        }),
      ]),
    );
    await Promise.all(Array.from({ length: 10 }, () => advance(engine, id)));
    expect(calls).toBe(1);
    expect(operationOf(db, id).state).toBe("done");
  });

  test("writes events whose ids have no gap", async () => {
    const { db, toEnd } = start(
      define([
        step("log", "Log", async () => done({ log: [1, 2, 3].map((at) => ({ at, text: `line ${at}` })) })),
        noop("end"),
      ]),
    );
    await toEnd();
    const ids = db.select({ id: events.id }).from(events).orderBy(asc(events.id)).all();
    expect(ids.length).toBeGreaterThan(7);
    expect(ids.map((row) => row.id)).toEqual(ids.map((_, index) => index + 1));
  });
});

describe("a fork", () => {
  test("runs its branches side by side, and what follows waits for both", async () => {
    let open = false;
    const { engine, db, id, clock, toEnd } = start(
      define([
        together(
          [
            poll("slow", "Slow", { everyMs: 100, giveUp: { afterMs: 1e9, sentence: "x" } }, async () =>
              open ? done() : later(),
            ),
          ],
          [noop("quick"), noop("next")],
        ),
        noop("after"),
      ]),
    );
    for (let round = 0; round < 5; round += 1) {
      await advance(engine, id);
      clock.now += 10;
    }
    expect(states(db, id)).toEqual({ slow: "running", quick: "done", next: "done", after: "waiting" });
    open = true;
    await toEnd();
    expect(states(db, id).after).toBe("done");
  });

  test("lets the other branch come to its end when one fails", async () => {
    const { db, id, toEnd } = start(
      define([
        together(
          [step("bad", "Bad", () => Promise.reject(new StepFailure("It broke.", "detail")))],
          [noop("a"), noop("b")],
        ),
        noop("after"),
      ]),
    );
    await toEnd();
    expect(states(db, id)).toEqual({ bad: "failed", a: "done", b: "done", after: "waiting" });
    expect(operationOf(db, id)).toMatchObject({ state: "failed", failure: { sentence: "It broke." } });
  });
});

describe("a claim", () => {
  test("of a stale holder writes nothing", async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let first = true;
    const { engine, db, id, clock, toEnd } = start(
      define([
        step("one", "One", async () => {
          if (!first) return done({ facts: { by: "successor" } });
          first = false;
          await held;
          return done({ facts: { by: "zombie" } });
        }),
      ]),
    );
    const zombie = advance(engine, id);
    clock.now += 60_000;
    await toEnd();
    release();
    await zombie;
    expect(operationOf(db, id).facts).toEqual({ by: "successor" });
    expect(stepsOf(db, id)[0]?.fence).toBe(2);
  });

  test("of a dead process is taken over at once", async () => {
    const never = new Promise<never>(() => {});
    let dead = false;
    let calls = 0;
    const { engine, db, id } = start(
      define([
        step("one", "One", () => {
          calls += 1;
          return calls === 1 ? never : Promise.resolve(done());
        }),
      ]),
      { isAlive: () => !dead },
    );
    void advance(engine, id);
    await advance(engine, id);
    expect(calls).toBe(1);
    dead = true;
    await advance(engine, id);
    expect(operationOf(db, id).state).toBe("done");
  });
});

describe("a fault", () => {
  const passing = () =>
    new ProviderError({ sentence: "DigitalOcean is away.", detail: "503", retryable: true });

  test("that passes is tried again within the budget", async () => {
    let left = 3;
    const { db, id, toEnd } = start(
      define([step("one", "One", async () => (left-- > 0 ? Promise.reject(passing()) : done()))]),
    );
    await toEnd();
    expect(operationOf(db, id).state).toBe("done");
    expect(stepsOf(db, id)[0]?.attempts).toBe(3);
  });

  test("that stays is a failure with a sentence, one mail, and a way on", async () => {
    let broken = true;
    const { engine, db, id, instance, toEnd } = start(
      define([noop("zero"), step("one", "One", async () => (broken ? Promise.reject(passing()) : done()))]),
    );
    insertUser(db);
    await toEnd();
    expect(operationOf(db, id)).toMatchObject({
      state: "failed",
      failure: { sentence: "DigitalOcean is away." },
    });
    expect(instance()?.status).toBe("failed");
    expect(db.select().from(mail).all()).toHaveLength(1);
    broken = false;
    retryOperation(engine, id, "joe@intranet.localhost");
    await toEnd();
    expect(operationOf(db, id)).toMatchObject({ state: "done", failure: null, round: 1 });
    expect(instance()?.status).toBe("running");
  });

  test("that asks for patience does not use up the budget", async () => {
    let left = 50;
    const wait = () =>
      new ProviderError({ sentence: "Slow down.", detail: "429", retryable: true, retryAfterMs: 10 });
    const { db, id, toEnd } = start(
      define([step("one", "One", async () => (left-- > 0 ? Promise.reject(wait()) : done()))]),
    );
    await toEnd();
    expect(operationOf(db, id).state).toBe("done");
  });

  test("of a poll that never comes true ends in its own sentence", async () => {
    const { db, id, toEnd } = start(
      define([
        poll(
          "wait",
          "Wait",
          { everyMs: 1000, giveUp: { afterMs: 60_000, sentence: "It never came." } },
          async () => later({ progress: { label: "still off" } }),
        ),
      ]),
    );
    await toEnd();
    expect(operationOf(db, id).failure).toEqual({ sentence: "It never came.", detail: "still off" });
  });

  test("never shows a secret", async () => {
    const { db, id, toEnd } = start(
      define([
        step("one", "One", () =>
          Promise.reject(new StepFailure("hunter2-hunter2 was refused", "psw=hunter2-hunter2")),
        ),
      ]),
      { openVariables: () => [{ name: "P", value: "hunter2-hunter2", secret: true }] },
    );
    await toEnd();
    const everything = JSON.stringify([operationOf(db, id), stepsOf(db, id), db.select().from(events).all()]);
    expect(everything).toContain("was refused");
    expect(everything).not.toContain("hunter2");
  });
});

describe("cancel", () => {
  test("stops what runs, skips the rest and puts away what costs", async () => {
    const calls: string[] = [];
    const { engine, db, id, instance, toEnd } = start(
      define(
        [
          noop("bought"),
          poll(
            "playbook",
            "Playbook",
            {
              everyMs: 10,
              giveUp: { afterMs: 1e9, sentence: "x" },
              stop: async () => void calls.push("stop"),
            },
            async () => later(),
          ),
          noop("after"),
        ],
        [
          step("undo", "Undo", async () => {
            calls.push("undo");
            return done();
          }),
        ],
      ),
    );
    await advance(engine, id);
    await advance(engine, id);
    cancelOperation(engine, id, "joe@intranet.localhost");
    cancelOperation(engine, id, "joe@intranet.localhost");
    await toEnd();
    expect(calls).toEqual(["stop", "undo"]);
    expect(states(db, id)).toEqual({
      bought: "done",
      playbook: "cancelled",
      after: "cancelled",
      undo: "done",
    });
    expect(operationOf(db, id).state).toBe("cancelled");
    expect(instance()?.status).toBe("destroyed");
    expect(instance()?.destroyedAt).not.toBeNull();
  });

  test("of something that is over is refused", async () => {
    const { engine, id, toEnd } = start(define([noop("one")]));
    await toEnd();
    expect(() => cancelOperation(engine, id, "joe")).toThrow("nothing to cancel");
  });
});

test("only so many playbooks run at once; the others wait their turn and say so", async () => {
  let open = false;
  const definition = define([
    poll(
      "playbook",
      "Playbook",
      { everyMs: 10, giveUp: { afterMs: 1e9, sentence: "x" }, takesPlace: true },
      async () => (open ? done() : later()),
    ),
  ]);
  const { engine, db, id, clock } = start(definition, { places: 2 });
  const ids = [id, ...[1, 2, 3].map(() => begin(engine, insertInstance(db), definition))];
  for (let round = 0; round < 5; round += 1) {
    for (const each of ids) {
      await advance(engine, each);
      clock.now += 1;
    }
    clock.now += 1100;
  }
  const rows = ids.map((each) => stepsOf(db, each)[0]);
  expect(rows.map((row) => row?.state)).toEqual(["running", "running", "waiting", "waiting"]);
  expect(rows.map((row) => row?.progress?.ahead)).toEqual([undefined, undefined, 1, 2]);
  open = true;
  for (let round = 0; round < 8; round += 1) {
    for (const each of ids) await advance(engine, each);
    clock.now += 1100;
  }
  expect(ids.map((each) => operationOf(db, each).state)).toEqual(["done", "done", "done", "done"]);
});

test("an instance has at most one live operation", () => {
  const { engine, db, definition } = start(define([noop("one")]));
  const instance = db.select().from(instances).get();
  expect(() => begin(engine, instance?.id ?? "", definition)).toThrow(/UNIQUE/);
});
