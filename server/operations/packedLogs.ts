import { deflateSync, inflateSync } from "node:zlib";
import { and, asc, eq, gt } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { packedLogs } from "#db/schema.ts";
import type { LogLine } from "#server/api/views.ts";

/**
 * Lines of a log as one compressed row. An event's row repeats the ids of its instance, its operation and its step and
 * is indexed, which is more than most lines have text: what saves space is that the rows are gone, not that their text
 * is shorter. Ids and times are kept as the distance to the line before, which compresses best.
 */
export function packLines(lines: readonly LogLine[]): Omit<typeof packedLogs.$inferInsert, "operationId"> {
  let before = { id: 0, at: 0 };
  const packed = lines.map((line) => {
    const { id, at, step, text, failed } = line;
    const row: PackedLine = [id - before.id, at - before.at, step, text, failed ? 1 : 0];
    before = line;
    return row;
  });
  return {
    firstId: lines[0]?.id ?? 0,
    lastId: before.id,
    lines: lines.length,
    data: deflateSync(JSON.stringify(packed)),
  };
}

const packedLine = z.tuple([
  z.number(),
  z.number(),
  z.string(),
  z.string(),
  z.union([z.literal(0), z.literal(1)]),
]);
type PackedLine = z.infer<typeof packedLine>;

export function unpackLines(data: Uint8Array): LogLine[] {
  let before = { id: 0, at: 0 };
  return z
    .array(packedLine)
    .parse(JSON.parse(inflateSync(data).toString("utf8")))
    .map(([idAfter, atAfter, step, text, failed]) => {
      const line = { id: before.id + idAfter, at: before.at + atAfter, step, text, failed: failed === 1 };
      before = line;
      return line;
    });
}

const parts = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ data: packedLogs.data })
    .from(packedLogs)
    .where(and(eq(packedLogs.operationId, given("operationId")), gt(packedLogs.lastId, given("afterId"))))
    .orderBy(asc(packedLogs.firstId))
    .prepare(),
);

/** The lines of the operation's log that are packed, those after an event's id, oldest first. */
export const packedLines = (tx: Pick<Tx, "select">, operationId: string, afterId: number): LogLine[] =>
  parts(tx)
    .all({ operationId, afterId })
    .flatMap(({ data }) => unpackLines(data))
    .filter((line) => line.id > afterId);
