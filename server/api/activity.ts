import { and, desc, eq, lt, or, sql } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import { z } from "zod";
import { audit, instances, operations, users } from "#db/schema.ts";
import { procedure, router } from "./trpc.ts";

const pageSize = 100;

const input = z.object({
  instanceId: z.string().max(64).optional(),
  /** Part of who, what or the company. */
  search: z.string().max(100).optional(),
  cursor: z.number().int().nullish(),
});

const contains = (column: AnySQLiteColumn, words: string) =>
  sql`instr(lower(${column}), ${words.toLowerCase()}) > 0`;

/** Who did what, newest first: everywhere, or with one instance; with what came of it. */
export const activityRouter = router({
  list: procedure.input(input).query(({ ctx: { web }, input: { instanceId, search = "", cursor } }) => {
    const words = search.trim();
    const rows = web.db
      .select({
        id: audit.id,
        at: audit.at,
        who: audit.who,
        name: users.name,
        what: audit.what,
        instance: { id: instances.id, slug: instances.slug, company: instances.company },
        operation: {
          id: operations.id,
          state: operations.state,
          createdAt: operations.createdAt,
          endedAt: operations.endedAt,
        },
      })
      .from(audit)
      .leftJoin(users, eq(users.email, audit.who))
      .leftJoin(instances, eq(instances.id, audit.instanceId))
      .leftJoin(operations, eq(operations.id, audit.operationId))
      .where(
        and(
          instanceId === undefined ? undefined : eq(audit.instanceId, instanceId),
          cursor == null ? undefined : lt(audit.id, cursor),
          words === ""
            ? undefined
            : or(
                contains(audit.what, words),
                contains(audit.who, words),
                contains(users.name, words),
                contains(instances.company, words),
              ),
        ),
      )
      .orderBy(desc(audit.id))
      .limit(pageSize)
      .all();
    const entries = rows.map(({ name, who, ...row }) => ({ ...row, who: name ?? who }));
    return { entries, next: rows.length < pageSize ? null : (rows.at(-1)?.id ?? null) };
  }),
});
