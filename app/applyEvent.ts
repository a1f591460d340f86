import type {
  ChangeEvent,
  InstanceDetail,
  InstanceRow,
  LineEvent,
  LogLine,
  OperationView,
} from "#server/api/views.ts";

/** Snapshots brought up to date by the events that came after them. Pure: the same events always give the same page. */

type Since<Part> = { lastEventId: number } & Part;

const after = <Part, Event extends { id: number }>(snapshot: Since<Part>, events: readonly Event[]) =>
  events.filter((event) => event.id > snapshot.lastEventId);

/** Of each operation's changes the newest says all: a page that is open for weeks holds no more than it shows. */
export function newestChanges(
  known: readonly ChangeEvent[],
  fresh: readonly ChangeEvent[],
): readonly ChangeEvent[] {
  const newest = new Map<string, ChangeEvent>();
  for (const change of [...known, ...fresh]) {
    const key = `${change.row.id}/${change.row.operation?.id ?? ""}`;
    newest.delete(key);
    newest.set(key, change);
  }
  return [...newest.values()];
}

/** The state of each operation that has changed, as one text that is another whenever one has started or ended. */
export const operationStates = (changes: readonly ChangeEvent[]): string =>
  // Sorted, because every step that an operation takes moves its newest change to the end.
  changes
    .map(({ row }) => `${row.operation?.id} ${row.operation?.state}`)
    .sort()
    .join();

/**
 * When an instance last answered, given the newest health round, which began at `round`. An instance that runs, isn't
 * silent and had no operation meanwhile answered in that round: only silence is recorded per instance.
 */
export const lastAnswer = (
  {
    status,
    silentSince,
    answeredAt,
    operation,
  }: Pick<InstanceRow, "status" | "silentSince" | "answeredAt"> & {
    operation: Pick<OperationView, "endedAt"> | null;
  },
  round: number | undefined,
): number | null =>
  round !== undefined &&
  status === "running" &&
  silentSince === null &&
  (operation === null || (operation.endedAt !== null && operation.endedAt < round))
    ? Math.max(answeredAt ?? 0, round)
    : answeredAt;

/**
 * The rows of all pages that were read, each as its newest page or event has it, and those that only events have told
 * of since the first page was read. Which of them the list shows, and where, is for `arrange` to say.
 */
export function applyToPages(
  pages: readonly Since<{ instances: InstanceRow[] }>[],
  events: readonly ChangeEvent[],
): InstanceRow[] {
  const known = new Map<string, { row: InstanceRow; asOf: number }>();
  const take = (row: InstanceRow, asOf: number) => {
    if ((known.get(row.id)?.asOf ?? -1) < asOf) known.set(row.id, { row, asOf });
  };
  for (const { instances, lastEventId } of pages) for (const row of instances) take(row, lastEventId);
  const first = Math.min(...pages.map((page) => page.lastEventId));
  for (const { id, row } of events) if (id > first) take(row, id);
  return [...known.values()].map(({ row }) => row);
}

/** What one click began with many instances: each with that click's operation, whatever came after it. */
export function applyToBatch(
  snapshot: Since<{ instances: InstanceRow[] }>,
  events: readonly ChangeEvent[],
  batchId: string,
): InstanceRow[] {
  const rows = new Map(snapshot.instances.map((row) => [row.id, row]));
  for (const event of after(snapshot, events)) {
    const known = rows.get(event.row.id);
    if (event.row.operation?.batchId === batchId) rows.set(event.row.id, event.row);
    else if (known !== undefined) rows.set(event.row.id, { ...event.row, operation: known.operation });
  }
  return [...rows.values()];
}

/** One instance with its operations. */
export function applyToDetail(
  snapshot: Since<{ instance: InstanceDetail }>,
  events: readonly ChangeEvent[],
): InstanceDetail {
  let detail = snapshot.instance;
  for (const event of after(snapshot, events)) {
    if (event.row.id !== detail.id) continue;
    const { row } = event;
    const known = detail.operations.some((operation) => operation.id === row.operation?.id);
    const operations =
      row.operation === null
        ? detail.operations
        : known
          ? detail.operations.map((operation) =>
              operation.id === row.operation?.id ? row.operation : operation,
            )
          : [row.operation, ...detail.operations];
    detail = { ...detail, ...row, operations };
  }
  return detail;
}

/** An operation's log; every line once, in order. */
export function applyToLog(
  snapshot: Since<{ lines: LogLine[] }>,
  events: readonly LineEvent[],
  operationId: string,
): LogLine[] {
  const more = after(snapshot, events).flatMap((event) =>
    event.operationId === operationId ? [event.line] : [],
  );
  return more.length === 0 ? snapshot.lines : [...snapshot.lines, ...more];
}
