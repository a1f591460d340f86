import type { EventView, InstanceDetail, InstanceRow, LogLine } from "../server/views.ts";

/** Snapshots brought up to date by the events that came after them. Pure: the same events always give the same page. */

type Since<Part> = { lastEventId: number } & Part;

const after = <Part>(snapshot: Since<Part>, events: readonly EventView[]) =>
  events.filter((event) => event.id > snapshot.lastEventId);

/** The list, with every row as the newest event left it; an instance that was not there yet comes first. */
export function foldList(
  snapshot: Since<{ instances: InstanceRow[] }>,
  events: readonly EventView[],
): InstanceRow[] {
  const rows = new Map(snapshot.instances.map((row) => [row.id, row]));
  const fresh: string[] = [];
  for (const event of after(snapshot, events)) {
    if (event.kind === "log") continue;
    if (!rows.has(event.row.id)) fresh.unshift(event.row.id);
    rows.set(event.row.id, event.row);
  }
  const order = [...fresh, ...snapshot.instances.map((row) => row.id)];
  return order.flatMap((id) => rows.get(id) ?? []);
}

/** What one click began with many instances: each with that click's operation, whatever came after it. */
export function foldTogether(
  snapshot: Since<{ instances: InstanceRow[] }>,
  events: readonly EventView[],
  batchId: string,
): InstanceRow[] {
  const rows = new Map(snapshot.instances.map((row) => [row.id, row]));
  for (const event of after(snapshot, events)) {
    if (event.kind === "log") continue;
    const known = rows.get(event.row.id);
    if (event.row.operation?.batchId === batchId) rows.set(event.row.id, event.row);
    else if (known !== undefined) rows.set(event.row.id, { ...event.row, operation: known.operation });
  }
  return [...rows.values()];
}

/** One instance with its operations. */
export function foldDetail(
  snapshot: Since<{ instance: InstanceDetail }>,
  events: readonly EventView[],
): InstanceDetail {
  let detail = snapshot.instance;
  for (const event of after(snapshot, events)) {
    if (event.kind === "log" || event.row.id !== detail.id) continue;
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
export function foldLog(
  snapshot: Since<{ lines: LogLine[] }>,
  events: readonly EventView[],
  operationId: string,
): LogLine[] {
  const more = after(snapshot, events).flatMap((event) =>
    event.kind === "log" && event.operationId === operationId ? [event.line] : [],
  );
  if (more.length === 0) return snapshot.lines;
  const seen = new Set(snapshot.lines.map((line) => line.id));
  return [...snapshot.lines, ...more.filter((line) => !seen.has(line.id))];
}
