import Database from "better-sqlite3";
import { asc, gt, max } from "drizzle-orm";
import type { Db } from "#db/client.ts";
import { events } from "#db/schema.ts";
import { reconciliationState } from "#server/drift/state.ts";
import type { Env } from "#server/env.ts";
import { lastRound } from "#server/instances/healthHistory.ts";
import { instanceRows } from "#server/instances/queries.ts";
import { newestOutboxMail } from "#server/mail/outbox.ts";
import { packedLines } from "#server/operations/packedLogs.ts";
import { logLineOf } from "#server/operations/queries.ts";
import { report } from "#server/report.ts";
import type { EventView, NewsEvent } from "./views.ts";

/** How often SQLite is asked, for microseconds, whether another process has committed. */
const lookEveryMs = 20;
/** A page that comes back after a longer absence reads its past in pieces of this size. */
const pageSize = 1000;

export type Live = {
  /** Events after `afterId` as they come, until the signal aborts. */
  follow: (options: {
    afterId: number;
    operationId?: string;
    signal: AbortSignal;
  }) => AsyncGenerator<EventView>;
  close: () => void;
};

export const lastEventId = (db: Pick<Db, "select">): number =>
  db
    .select({ id: max(events.id) })
    .from(events)
    .get()?.id ?? 0;

/** Watches the event table for all open pages at once: one timer, one read for each commit, whatever their number. */
export function watchEvents(env: Env, db: Db): Live {
  // A connection of its own: data_version only changes for what others have committed.
  const watcher = new Database(env.databaseFile, { readonly: true });
  const version = watcher.prepare("pragma data_version").pluck();
  let seen = version.get();
  let newest = lastEventId(db);
  let recent: EventView[] = [];
  let news = readNews(db);
  const waiting = new Set<() => void>();
  let followers = 0;
  let isFailing = false;

  const timer = setInterval(() => {
    try {
      const now = version.get();
      if (now === seen) return;
      // A commit counts as seen once all of it has been read: what fails, or is too much for one look, is left to the next.
      if (lookOnce()) seen = now;
      isFailing = false;
    } catch (error) {
      if (!isFailing) report("could not read the events; open pages don't update", error);
      isFailing = true;
    }
  }, lookEveryMs);
  timer.unref();

  /** Reads one piece of what is new, and wakes the pages. Whether that was all. */
  function lookOnce(): boolean {
    if (followers === 0) {
      // Nobody looks: whoever comes reads what is there.
      newest = lastEventId(db);
      recent = [];
      return true;
    }
    const piece = read(env, db, newest);
    const before = JSON.stringify(news);
    news = readNews(db);
    newest = piece.readTo;
    recent = [...recent, ...piece.views].slice(-2 * pageSize);
    if (piece.views.length > 0 || JSON.stringify(news) !== before) for (const wake of [...waiting]) wake();
    return piece.isLast;
  }

  function after(id: number, operationId: string | undefined): Piece {
    const oldest = recent[0]?.id;
    if (oldest === undefined || id < oldest - 1) return read(env, db, id, operationId);
    // From the newest back to where the page stands: that is never far.
    let from = recent.length;
    while (from > 0 && (recent[from - 1]?.id ?? 0) > id) from -= 1;
    const views = recent.slice(from);
    return { views, readTo: views.at(-1)?.id ?? id, isLast: true };
  }

  async function* follow({ afterId, operationId, signal }: Parameters<Live["follow"]>[0]) {
    let cursor = afterId;
    // Empty, so that a new or returning page gets the current state of each.
    const told = new Map<NewsEvent["kind"], number>();
    if (followers === 0) news = readNews(db);
    followers += 1;
    try {
      while (!signal.aborted) {
        const { views, readTo, isLast } = after(cursor, operationId);
        for (const event of views) if (event.kind !== "log" || event.operationId === operationId) yield event;
        cursor = readTo;
        if (!isLast) continue;
        const fresh = news.filter(({ kind, at }) => told.get(kind) !== at);
        for (const { kind, at } of fresh) {
          told.set(kind, at);
          yield { id: cursor, at, kind };
        }
        // Whoever was told something may have missed a wake-up meanwhile, and looks again.
        if (views.length + fresh.length > 0) continue;
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            signal.removeEventListener("abort", wake);
            resolve();
          };
          waiting.add(wake);
          signal.addEventListener("abort", wake);
        });
      }
    } finally {
      followers -= 1;
    }
  }
  function close(): void {
    clearInterval(timer);
    watcher.close();
  }

  return { follow, close };
}

/** News that concerns no single instance: when each kind last changed. */
function readNews(db: Db): Omit<NewsEvent, "id">[] {
  const { checkedAt, failure } = reconciliationState(db);
  const moments = {
    answers: lastRound(db)?.at,
    drift: Math.max(checkedAt ?? 0, failure?.at ?? 0) || undefined,
    outbox: newestOutboxMail(db),
  };
  return (["answers", "drift", "outbox"] as const).flatMap((kind) => {
    const at = moments[kind];
    return at === undefined ? [] : [{ kind, at }];
  });
}

/** A piece of the events: those that pages show, up to which id all were read, and whether it reaches the newest. */
type Piece = { views: EventView[]; readTo: number; isLast: boolean };

/**
 * Events with what they mean for the page; several changes of one instance share the newest row. Of the operation's log
 * also lines that have been packed: a page may come back after longer than that takes.
 */
function read(env: Env, db: Db, afterId: number, operationId?: string): Piece {
  return db.transaction((tx) => {
    const found = tx
      .select()
      .from(events)
      .where(gt(events.id, afterId))
      .orderBy(asc(events.id))
      .limit(pageSize)
      .all();
    const changed = new Set(found.filter((event) => event.kind !== "log").map((event) => event.instanceId));
    const rows = new Map(instanceRows(env, tx, [...changed]).map((row) => [row.id, row]));
    const views: EventView[] = [];
    for (const event of found) {
      const row = rows.get(event.instanceId);
      if (event.kind === "log") {
        if (event.operationId !== null)
          views.push({
            id: event.id,
            at: event.at,
            kind: "log",
            operationId: event.operationId,
            line: logLineOf(event),
          });
      } else if (row !== undefined) {
        views.push({ id: event.id, at: event.at, kind: event.kind, row });
      }
    }
    const isLast = found.length < pageSize;
    const readTo = found.at(-1)?.id ?? afterId;
    if (operationId === undefined) return { views, readTo, isLast };
    const packed = packedLines(tx, operationId, afterId)
      .filter((line) => isLast || line.id <= readTo)
      .map((line): EventView => ({ id: line.id, at: line.at, kind: "log", operationId, line }));
    // None of these is newer than what was read: an operation's end comes after its lines, and is never packed.
    return { views: [...packed, ...views].sort((one, other) => one.id - other.id), readTo, isLast };
  });
}
