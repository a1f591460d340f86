import { afterEach, beforeEach, expect, test } from "vitest";
import { type Db, write } from "#db/client.ts";
import { saveReconciliationState } from "#server/drift/state.ts";
import type { Env } from "#server/env.ts";
import { noteRound } from "#server/instances/healthHistory.ts";
import { noteOutboxMail } from "#server/mail/outbox.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { createTestEngine, insertInstance } from "#server/operations/testing/testEngine.ts";
import { type Live, watchEvents } from "./liveFeed.ts";
import type { EventView } from "./views.ts";

let world: ReturnType<typeof createTestEngine>;
let live: Live;
const operationId = "the-operation";
let leaving: AbortController;

/** Watches through `db`, which may be ill, what the world's own connection writes. */
function watch(db: Db = world.db): void {
  live = watchEvents({ databaseFile: world.file } as Env, db);
}
beforeEach(() => {
  world = createTestEngine();
  leaving = new AbortController();
});
afterEach(() => {
  leaving.abort();
  live.close();
  world.close();
});

/** That many log lines, in one commit. */
function commitLines(count: number): void {
  const instanceId = insertInstance(world.db);
  write(world.db, (tx) => {
    for (let at = 1; at <= count; at += 1)
      appendEvent(tx, {
        at,
        kind: "log",
        instanceId,
        operationId,
        data: { text: `line ${at}`, failed: false },
      });
  });
}

/** What a page that is open already, and waits, is told next. */
function openPage(afterId = 0): (count: number) => Promise<EventView[]> {
  const stream = live.follow({ afterId, operationId, signal: leaving.signal });
  let next = stream.next();
  return async (count) => {
    const told: EventView[] = [];
    while (told.length < count) {
      const { value, done } = await next;
      if (done) break;
      told.push(value);
      next = stream.next();
    }
    return told;
  };
}

/** Watches; returns what makes a change while no page is open, and waits until that has been noticed. */
function watchUnseen(): (change: () => void) => Promise<void> {
  let notice = () => {};
  const db = Object.create(world.db) as Db;
  watch(db);
  db.select = ((...fields: Parameters<Db["select"]>) => {
    notice();
    return world.db.select(...fields);
  }) as Db["select"];
  return (change) =>
    new Promise((resolve) => {
      notice = resolve;
      change();
    });
}

const idsTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test("an open page is told all of a commit that is larger than a piece", { timeout: 10_000 }, async () => {
  watch();
  const told = openPage();
  commitLines(2500);
  expect((await told(2500)).map(({ id }) => id)).toEqual(idsTo(2500));
});

test("a piece that holds nothing for pages does not end the reading", { timeout: 10_000 }, async () => {
  watch();
  const told = openPage();
  write(world.db, (tx) => {
    for (let at = 1; at <= 1500; at += 1) appendEvent(tx, { at, kind: "instance", instanceId: "nobody" });
  });
  commitLines(1);
  expect((await told(1)).map(({ id }) => id)).toEqual([1501]);
  expect((await openPage()(1)).map(({ id }) => id)).toEqual([1501]);
});

test("a commit that could not be read is read again, without another one", { timeout: 10_000 }, async () => {
  let failures = 0;
  const ill = Object.create(world.db) as Db;
  watch(ill);
  const told = openPage();
  const waits = told(1);
  // The page has looked, and waits; the look at what comes now fails twice.
  ill.transaction = (...args) => {
    failures += 1;
    if (failures <= 2) throw new Error("the disk is ill for a moment");
    return world.db.transaction(...args);
  };
  commitLines(1);
  expect((await waits).map(({ id }) => id)).toEqual([1]);
  expect(failures).toBeGreaterThan(2);
});

test("a page is told the current state of what concerns no single instance, then each change once", {
  timeout: 10_000,
}, async () => {
  noteRound(world.db, { at: 5 });
  watch();
  const told = openPage();
  expect(await told(1)).toEqual([{ id: 0, at: 5, kind: "answers" }]);
  write(world.db, (tx) => {
    noteRound(tx, { at: 6 });
    saveReconciliationState(tx, { checkedAt: 7 });
  });
  expect(await told(2)).toEqual([
    { id: 0, at: 6, kind: "answers" },
    { id: 0, at: 7, kind: "drift" },
  ]);
  commitLines(1);
  expect((await told(1)).map(({ id, kind }) => ({ id, kind }))).toEqual([{ id: 1, kind: "log" }]);
  write(world.db, (tx) => {
    saveReconciliationState(tx, {
      checkedAt: 7,
      failure: { at: 8, userMessage: "The check itself failed." },
    });
    noteOutboxMail(tx, 9);
  });
  expect(await told(2)).toEqual([
    { id: 1, at: 8, kind: "drift" },
    { id: 1, at: 9, kind: "outbox" },
  ]);
});

test("what is committed while a page takes its time over news reaches it without another commit", {
  timeout: 10_000,
}, async () => {
  noteRound(world.db, { at: 5 });
  watch();
  const slow = live.follow({ afterId: 0, signal: leaving.signal });
  expect((await slow.next()).value).toEqual({ id: 0, at: 5, kind: "answers" });
  // Another page, which waits, shows when the commit has been seen.
  const prompt = openPage();
  expect(await prompt(1)).toEqual([{ id: 0, at: 5, kind: "answers" }]);
  const instanceId = insertInstance(world.db);
  write(world.db, (tx) => appendEvent(tx, { at: 6, kind: "instance", instanceId }));
  expect((await prompt(1)).map(({ id }) => id)).toEqual([1]);
  expect((await slow.next()).value).toMatchObject({ id: 1, kind: "instance" });
});

const ids = (told: EventView[]) => told.map(({ id }) => id);

test("the first page to open is told the state of then, not of when the last one left", {
  timeout: 10_000,
}, async () => {
  const whileUnseen = watchUnseen();
  await whileUnseen(() => noteRound(world.db, { at: 5 }));
  expect(await openPage()(1)).toEqual([{ id: 0, at: 5, kind: "answers" }]);
});

test("a page that returns is told what came while none was open", { timeout: 10_000 }, async () => {
  const whileUnseen = watchUnseen();
  const told = openPage();
  commitLines(3);
  expect(ids(await told(3))).toEqual([1, 2, 3]);
  leaving.abort();
  expect(await told(1)).toEqual([]);
  leaving = new AbortController();
  await whileUnseen(() => commitLines(1));
  const returned = openPage(3);
  commitLines(2);
  expect(ids(await returned(3))).toEqual([4, 5, 6]);
});

test("a page is also told what is older than what other pages have been told", {
  timeout: 10_000,
}, async () => {
  commitLines(2);
  watch();
  const told = openPage(2);
  commitLines(2);
  expect(ids(await told(2))).toEqual([3, 4]);
  for (const afterId of [0, 1, 2]) expect((await openPage(afterId)(1))[0]?.id).toBe(afterId + 1);
});
