import type { Database } from "better-sqlite3";
import { z } from "zod";
import type { Db } from "#db/client.ts";

const planRows = z.array(z.object({ detail: z.string() }));

/** For tests: how SQLite goes about every query that is prepared from now on. */
export function recordPlans(db: Db & { $client?: Database }) {
  const client = db.$client;
  if (client === undefined) throw new Error("This database has no connection.");
  const prepare = client.prepare.bind(client);
  const queries = new Set<string>();
  Object.assign(client, {
    prepare: (query: string) => {
      if (/^\s*(select|with)\b/i.test(query)) queries.add(query);
      return prepare(query);
    },
  });
  const steps = () =>
    [...queries].map((query) => {
      const parameters = Array.from(query.matchAll(/\?/g), () => "[]");
      return planRows
        .parse(prepare(`explain query plan ${query}`).all(...parameters))
        .map((row) => row.detail);
    });
  const having = (part: RegExp) => [
    ...new Set(
      steps()
        .flat()
        .filter((step) => part.test(step)),
    ),
  ];
  return {
    /** Each table or index that is read from one end to the other. */
    scans: () => having(/^SCAN/),
    /** Each index that is asked for some of its rows. */
    searches: () => having(/^SEARCH/),
    /** The plan of each query whose rows have to be sorted. */
    sorts: () =>
      steps()
        .filter((plan) => plan.some((step) => /TEMP B-TREE/.test(step)))
        .map((plan) => plan.join("; ")),
  };
}
