import { asc, eq, sql } from "drizzle-orm";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { events, instances, mail, operations, wakeUps } from "#db/schema.ts";
import { cancelOperation, retryOperation } from "#server/operations/cancelAndRetry.ts";
import { registry } from "#server/operations/registry.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  insertUser,
  only,
  operationOf,
  runToEnd,
  states,
} from "#server/operations/testing/testEngine.ts";
import { ProviderError } from "#server/providers/errors.ts";
import type { PlaybookRunner } from "#server/providers/playbooks/playbooks.ts";
import { advance } from "./advance.ts";
import {
  type AnyFacts,
  defineOperation,
  done,
  later,
  type Providers,
  poll,
  type Step,
  StepFailure,
  step,
  together,
} from "./define.ts";
import type { Engine } from "./engine.ts";
import { createWorker, leaseMs } from "./lease.ts";
import { stepsOf } from "./outcome.ts";

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
    userMessages: { cancelling: "", cancelled: "", failed: "" },
    facts: z.record(z.string(), z.unknown()),
    steps,
    undo,
    status: { during: "spawning", done: "running", cancelled: "destroyed", failed: "failed" },
    mutating: true,
  });

function start(definition: ReturnType<typeof define>, overrides: Partial<Engine> = {}) {
  const world = createTestEngine(overrides);
  worlds.push(world);
  world.engine.registry = { ...registry, spawn: definition };
  const instanceId = insertInstance(world.db);
  const id = begin(world.engine, instanceId, definition);
  const instance = () => world.db.select().from(instances).where(eq(instances.id, instanceId)).get();
  const toEnd = () =>
    runToEnd(world.engine, id, (until) => {
      world.clock.now = Math.max(world.clock.now, until);
    });
  return { ...world, id, instance, toEnd, definition };
}

const withPlaybooks = (playbooks: Partial<PlaybookRunner>) =>
  only<Providers>("providers", { playbooks: only<PlaybookRunner>("playbooks", playbooks) });
const noop = (name: string) => step<AnyFacts>(name, name, async () => done());

describe("a step that is watched over", () => {
  const watched = (looks: (() => void)[]) =>
    define([
      poll(
        "it",
        "It",
        { everyMs: 60_000, giveUp: { afterMs: 600_000, userMessage: "No." } },
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
          return done({ instance: { ipAddress: "127.77.0.9" } });
        }),
      ]),
    );
    await advance(engine, id);
    expect(states(db, id)).toEqual({ one: "done", two: "waiting" });
    await toEnd();
    expect(seen).toEqual([42]);
    expect(operationOf(db, id).state).toBe("done");
    expect(instance()).toMatchObject({ status: "running", ipAddress: "127.77.0.9" });
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
            poll("slow", "Slow", { everyMs: 100, giveUp: { afterMs: 1e9, userMessage: "x" } }, async () =>
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
    expect(operationOf(db, id)).toMatchObject({ state: "failed", failure: { userMessage: "It broke." } });
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

  test("of a worker that died is taken over when its lease is over, whatever its process id", async () => {
    const never = new Promise<never>(() => {});
    let calls = 0;
    const { engine, db, id, clock } = start(
      define([
        step("one", "One", () => {
          calls += 1;
          return calls === 1 ? never : Promise.resolve(done());
        }),
      ]),
    );
    const dead = { ...engine, worker: createWorker(), after: () => () => {} };
    void advance(dead, id);
    await advance(engine, id);
    expect(calls).toBe(1);
    // The successor is woken when the lease ends, and not before.
    expect(db.select().from(wakeUps).get()?.dueAt).toBe(clock.now + leaseMs);
    clock.now += leaseMs;
    await advance(engine, id);
    expect(operationOf(db, id).state).toBe("done");
  });

  test.each([-3_600_000, 3_600_000])("stands when the wall clock is set by %i ms", async (jump) => {
    let calls = 0;
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { engine, db, id, clock, toEnd } = start(
      define([
        step("one", "One", async () => {
          calls += 1;
          await held;
          return done();
        }),
        poll(
          "two",
          "Two",
          { everyMs: 1000, giveUp: { afterMs: 60_000, userMessage: "No." } },
          async ({ elapsed }) => (elapsed() >= 3000 ? done() : later()),
        ),
      ]),
    );
    const running = advance(engine, id);
    clock.wallAheadMs = jump;
    await advance(engine, id);
    await advance({ ...engine, worker: createWorker() }, id);
    expect(calls).toBe(1);
    release();
    await running;
    const begun = clock.now;
    clock.wallAheadMs = -jump;
    await toEnd();
    expect(operationOf(db, id)).toMatchObject({ state: "done" });
    expect(clock.now - begun).toBe(3000);
  });

  test.each([-3_600_000, 3_600_000])("can be retried after the wall clock was set by %i ms", async (jump) => {
    let broken = true;
    const { engine, db, id, clock, toEnd } = start(
      define([
        step("one", "One", async () => (broken ? Promise.reject(new StepFailure("No.", "")) : done())),
      ]),
    );
    await toEnd();
    clock.wallAheadMs = jump;
    broken = false;
    retryOperation(engine, id, "joe");
    await toEnd();
    expect(operationOf(db, id).state).toBe("done");
  });

  test("of a worker that was stopped for a while is lost, with all it was about to do", async () => {
    const acts: string[] = [];
    let wakeZombie = (): void => {};
    const asleep = new Promise<void>((resolve) => {
      wakeZombie = resolve;
    });
    let calls = 0;
    const { engine, db, id, clock, toEnd } = start(
      define([
        step("one", "One", async ({ providers }) => {
          calls += 1;
          const who = calls === 1 ? "zombie" : "successor";
          if (who === "zombie") await asleep;
          await providers.playbooks.cancelRun(who);
          return done();
        }),
      ]),
      { providers: withPlaybooks({ cancelRun: async (key) => void acts.push(key) }) },
    );
    // A process that is stopped renews nothing and hears nothing.
    const zombie = advance({ ...engine, worker: createWorker(), after: () => () => {} }, id);
    clock.now += leaseMs;
    wakeZombie();
    await zombie;
    expect(acts).toEqual([]);
    expect(operationOf(db, id).state).toBe("running");
    await toEnd();
    expect(acts).toEqual(["successor"]);
  });

  test("that was lost leaves its worker another name, and its other steps to others", async () => {
    const aborted: string[] = [];
    const definition = define([
      step("one", "One", ({ signal, operation }) => {
        signal.addEventListener("abort", () => aborted.push(operation.id));
        return new Promise<never>(() => {});
      }),
    ]);
    const { engine, db, id, clock } = start(definition);
    const other = begin(engine, insertInstance(db), definition);
    const running = advance(engine, id);
    const before = engine.worker.id;
    clock.now += leaseMs;
    void advance(engine, other);
    await running;
    expect(engine.worker.id).not.toBe(before);
    expect(aborted).toEqual([id]);
    expect(stepsOf(db, id)[0]).toMatchObject({ claimedBy: before, fence: 1 });
    expect(stepsOf(db, other)[0]).toMatchObject({ claimedBy: engine.worker.id });
  });

  test("is free again when its outcome could not be written, though its worker goes on", async () => {
    let runs = 0;
    const { engine, db, clock, id } = start(
      define([
        step("one", "One", async () => {
          runs += 1;
          if (runs === 1)
            db.run(
              sql`create trigger disk_full before insert on events begin select raise(abort, 'database or disk is full'); end`,
            );
          return done();
        }),
      ]),
    );
    await expect(advance(engine, id)).rejects.toThrow("database or disk is full");
    db.run(sql`drop trigger disk_full`);
    // Well within the lease, which every wake-up renews.
    clock.now += leaseMs / 2;
    await advance(engine, id);
    expect(runs).toBe(2);
    expect(operationOf(db, id).state).toBe("done");
  });

  test("is renewed while its step runs", async () => {
    const beats: (() => void)[] = [];
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { engine, db, id, clock } = start(
      define([
        step("one", "One", async () => {
          await held;
          return done();
        }),
      ]),
    );
    engine.after = (ms, callback) => {
      if (ms < leaseMs) beats.push(callback);
      return () => {};
    };
    const running = advance(engine, id);
    for (let second = 0; second < 10; second += 1) {
      clock.now += 1000;
      beats.shift()?.();
      await advance({ ...engine, worker: createWorker() }, id);
    }
    release();
    await running;
    expect(operationOf(db, id).state).toBe("done");
    expect(stepsOf(db, id)[0]?.fence).toBe(1);
  });
});

describe("a fault", () => {
  const passing = () =>
    new ProviderError({ userMessage: "DigitalOcean is away.", detail: "503", retryable: true });

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
      failure: { userMessage: "DigitalOcean is away." },
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
      new ProviderError({ userMessage: "Slow down.", detail: "429", retryable: true, retryAfterMs: 10 });
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
          { everyMs: 1000, giveUp: { afterMs: 60_000, userMessage: "It never came." } },
          async () => later({ progress: { label: "still off" } }),
        ),
      ]),
    );
    await toEnd();
    expect(operationOf(db, id).failure).toEqual({ userMessage: "It never came.", detail: "still off" });
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
              giveUp: { afterMs: 1e9, userMessage: "x" },
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

describe("cancel while the running step fails for good", () => {
  /** Spawns; `one` fails after Cancel was pressed, and its undo for as long as it is broken. */
  function failing(broken: { one: boolean; undo: boolean }) {
    const calls: string[] = [];
    const world = start(
      define(
        [
          step("one", "One", async ({ operation }) => {
            calls.push("one");
            if (!broken.one) return done();
            cancelOperation(world.engine, operation.id, "joe");
            throw new StepFailure("It broke.", "detail");
          }),
          step("two", "Two", async () => {
            calls.push("two");
            return done();
          }),
        ],
        [
          step("undo", "Undo", async () => {
            calls.push("undo");
            if (broken.undo) throw new StepFailure("The undo broke.", "detail");
            return done();
          }),
        ],
      ),
    );
    return { ...world, calls };
  }

  test("undoes what was done", async () => {
    const { calls, db, id, instance, toEnd } = failing({ one: true, undo: false });
    await toEnd();
    expect(calls).toEqual(["one", "undo"]);
    expect(operationOf(db, id)).toMatchObject({ state: "cancelled", failure: null });
    expect(instance()?.status).toBe("destroyed");
    expect(db.select().from(mail).all()).toEqual([]);
  });

  test.each([
    ["Retry", retryOperation],
    ["another Cancel", cancelOperation],
  ])("and an undo that fails as well: %s goes on with the undo, never forward", async (_button, press) => {
    const broken = { one: true, undo: true };
    const { calls, engine, db, id, toEnd } = failing(broken);
    await toEnd();
    expect(operationOf(db, id)).toMatchObject({
      state: "failed",
      failure: { userMessage: "The undo broke." },
    });
    broken.one = false;
    press(engine, id, "joe");
    await toEnd();
    expect(operationOf(db, id).state).toBe("failed");
    broken.undo = false;
    press(engine, id, "joe");
    press(engine, id, "joe");
    await toEnd();
    expect(calls).toEqual(["one", "undo", "undo", "undo"]);
    expect(operationOf(db, id)).toMatchObject({ state: "cancelled", failure: null });
  });

  test("in one branch of a fork waits for the other, and undoes both", async () => {
    const calls: string[] = [];
    const { engine, db, id, toEnd } = start(
      define(
        [
          together(
            [
              step("bad", "Bad", async ({ operation }) => {
                cancelOperation(engine, operation.id, "joe");
                throw new StepFailure("It broke.", "");
              }),
            ],
            [
              poll(
                "other",
                "Other",
                {
                  everyMs: 50,
                  giveUp: { afterMs: 1e9, userMessage: "" },
                  stop: async () => void calls.push("stop"),
                },
                async () => later(),
              ),
            ],
          ),
        ],
        [noop("undo")],
      ),
    );
    await advance(engine, id);
    await toEnd();
    expect(operationOf(db, id).state).toBe("cancelled");
    expect(states(db, id)).toMatchObject({ undo: "done" });
  });
});

describe("what a step left running outside", () => {
  /** A playbook that ends as told, and can be stopped only once `stops` says so. */
  function playbook(ends: "fails" | "never ends", stops: () => boolean) {
    const calls: string[] = [];
    const world = start({
      ...define([
        poll(
          "playbook",
          "Playbook",
          {
            everyMs: 1000,
            giveUp: { afterMs: 5000, userMessage: "It took too long." },
            stop: async () => {
              calls.push("stop");
              if (!stops()) throw new Error("It does not stop.");
            },
          },
          async () => {
            calls.push("run");
            if (ends === "fails") throw new StepFailure("It broke.", "detail");
            return later();
          },
        ),
      ]),
      rescue: {
        redoFrom: "playbook",
        steps: [
          step("way-back", "Way back", async () => {
            calls.push("way back");
            return done();
          }),
        ],
      },
    });
    return { ...world, calls };
  }

  test.each([
    ["fails", "It broke."],
    ["never ends", "It took too long."],
  ] as const)(
    "is stopped before a playbook that %s has failed, and before its way back",
    async (ends, userMessage) => {
      const { calls, db, id, toEnd } = playbook(ends, () => true);
      await toEnd();
      expect(calls.filter((call) => call !== "run")).toEqual(["stop", "way back"]);
      expect(operationOf(db, id)).toMatchObject({ state: "failed", failure: { userMessage } });
    },
  );

  test("is tried to be stopped until it is: nothing runs beside it", async () => {
    let left = 8;
    const { calls, db, id, toEnd } = playbook("fails", () => left-- === 0);
    await toEnd();
    expect(calls).toEqual(["run", ...Array.from({ length: 9 }, () => "stop"), "way back"]);
    expect(operationOf(db, id)).toMatchObject({ state: "failed", failure: { userMessage: "It broke." } });
  });

  test("is stopped by a successor when its worker dies in between", async () => {
    const { calls, engine, db, id, clock, toEnd } = playbook("fails", () => true);
    await advance(engine, id);
    expect(states(db, id)).toEqual({ playbook: "running" });
    const dies = { ...engine, worker: createWorker(), after: () => () => {} };
    dies.registry = {
      ...engine.registry,
      spawn: define([
        poll(
          "playbook",
          "Playbook",
          { everyMs: 1, giveUp: { afterMs: 1, userMessage: "" }, stop: () => new Promise<never>(() => {}) },
          async () => later(),
        ),
      ]),
    };
    void advance(dies, id);
    clock.now += leaseMs;
    await toEnd();
    expect(calls).toEqual(["run", "stop", "way back"]);
    expect(operationOf(db, id).state).toBe("failed");
  });

  test("is stopped when Cancel comes while it cannot be stopped yet", async () => {
    let stops = false;
    const { calls, engine, db, id, clock, toEnd } = playbook("never ends", () => stops);
    await advance(engine, id);
    cancelOperation(engine, id, "joe");
    await advance(engine, id);
    expect(states(db, id)).toEqual({ playbook: "running" });
    // It is not asked again before its time.
    await advance(engine, id);
    expect(calls).toEqual(["run", "stop"]);
    stops = true;
    clock.now += 30_000;
    await toEnd();
    expect(calls.slice(0, 3)).toEqual(["run", "stop", "stop"]);
    expect(operationOf(db, id).state).toBe("cancelled");
  });
});

describe("a step that hears its signal", () => {
  const hearing = (abortable: boolean, heard: string[]) =>
    define(
      [
        step(
          "upload",
          "Upload",
          ({ signal }) =>
            new Promise((resolve, reject) => {
              signal.addEventListener("abort", () => {
                heard.push("abort");
                reject(new Error("connection closed"));
              });
              uploads.push(() => resolve(done()));
            }),
          { abortable },
        ),
      ],
      [noop("undo")],
    );
  let uploads: (() => void)[] = [];

  test.each([
    ["cuts short", true, ["abort"]],
    ["waits for", false, []],
  ])("cancel %s one with abortable: %s", async (_what, abortable, expected) => {
    uploads = [];
    const heard: string[] = [];
    const { engine, db, id, toEnd } = start(hearing(abortable, heard));
    const beats: (() => void)[] = [];
    engine.after = (ms, callback) => {
      if (ms === 1000) beats.push(callback);
      return () => {};
    };
    const running = advance(engine, id);
    cancelOperation(engine, id, "joe");
    beats.shift()?.();
    if (!abortable) uploads[0]?.();
    await running;
    await toEnd();
    expect(heard).toEqual(expected);
    expect(operationOf(db, id).state).toBe(abortable ? "cancelled" : "done");
    expect(stepsOf(db, id)[0]?.attempts).toBe(0);
  });

  test("does nothing any more once its attempt was given up", async () => {
    const acts: string[] = [];
    let release = (): void => {};
    let late: Promise<unknown> | undefined;
    const { engine, db, id } = start(
      define([
        step("one", "One", async ({ providers }) => {
          const hangs = new Promise<void>((resolve) => {
            release = resolve;
          });
          late = hangs.then(() => providers.playbooks.cancelRun("late"));
          late.catch(() => {});
          throw new ProviderError({ userMessage: "Away.", detail: "", retryable: true });
        }),
      ]),
      { providers: withPlaybooks({ cancelRun: async (key) => void acts.push(key) }) },
    );
    await advance(engine, id);
    expect(stepsOf(db, id)[0]).toMatchObject({ state: "running", attempts: 1 });
    release();
    await expect(late).rejects.toThrow("another worker");
    expect(acts).toEqual([]);
  });
});

describe("a failed operation after a backup", () => {
  function failed() {
    let broken = true;
    const world = start(
      define([
        step("one", "One", async () => (broken ? Promise.reject(new StepFailure("No.", "")) : done())),
      ]),
    );
    const instanceId = world.instance()?.id ?? "";
    return {
      ...world,
      instanceId,
      mend: () => {
        broken = false;
      },
    };
  }
  const setState = (db: World["db"], id: string, state: "done" | "failed") =>
    db.update(operations).set({ state }).where(eq(operations.id, id)).run();

  test("can still be retried, once the backup has ended", async () => {
    const { engine, db, id, instanceId, mend, toEnd } = failed();
    await toEnd();
    const nightly = begin(engine, instanceId, registry.backup);
    expect(() => retryOperation(engine, id, "joe")).toThrow("Available once “Back up” has finished.");
    expect(() => cancelOperation(engine, id, "joe")).toThrow("Available once “Back up” has finished.");
    setState(db, nightly, "done");
    mend();
    retryOperation(engine, id, "joe");
    await toEnd();
    expect(operationOf(db, id).state).toBe("done");
  });

  test("cannot when it was a backup itself: the newer one did what had failed", async () => {
    const { engine, db, instanceId, toEnd } = failed();
    await toEnd();
    const older = begin(engine, instanceId, registry.backup);
    setState(db, older, "failed");
    setState(db, begin(engine, instanceId, registry.backup), "done");
    expect(() => retryOperation(engine, older, "joe")).toThrow("This instance has changed since");
  });

  test("cannot after something that changed the instance", async () => {
    const { engine, db, id, instanceId, toEnd } = failed();
    await toEnd();
    setState(db, begin(engine, instanceId, registry.restart), "done");
    expect(() => retryOperation(engine, id, "joe")).toThrow("This instance has changed since");
  });
});

test("only so many playbooks run at once; the others wait their turn and say so", async () => {
  let open = false;
  const definition = define([
    poll(
      "playbook",
      "Playbook",
      { everyMs: 10, giveUp: { afterMs: 1e9, userMessage: "x" }, slot: "playbooks" },
      async () => (open ? done() : later()),
    ),
  ]);
  const { engine, db, id, clock } = start(definition, { slots: { playbooks: 2, transfers: 2 } });
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
