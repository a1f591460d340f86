import { eq, sql } from "drizzle-orm";
import type { z } from "zod";
import type { Tx } from "./client.ts";
import { given, prepared } from "./prepared.ts";
import { settings } from "./schema.ts";

const reading = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ value: settings.value })
    .from(settings)
    .where(eq(settings.name, given("name")))
    .prepare(),
);
const writing = prepared((tx: Pick<Tx, "insert">) =>
  tx
    .insert(settings)
    .values({ name: given("name"), value: given("value") })
    .onConflictDoUpdate({ target: settings.name, set: { value: sql`excluded.value` } })
    .prepare(),
);
const removing = prepared((tx: Pick<Tx, "delete">) =>
  tx
    .delete(settings)
    .where(eq(settings.name, given("name")))
    .prepare(),
);

/** What is kept under this name; undefined when there is nothing. */
export function readSetting<Value>(
  tx: Pick<Tx, "select">,
  name: string,
  schema: z.ZodType<Value>,
): Value | undefined {
  const row = reading(tx).get({ name });
  return row === undefined ? undefined : schema.parse(JSON.parse(row.value));
}

/** Keeps the value under this name, as JSON. */
export function writeSetting(tx: Pick<Tx, "insert">, name: string, value: object): void {
  writing(tx).run({ name, value: JSON.stringify(value) });
}

export const removeSetting = (tx: Pick<Tx, "delete">, name: string): void => void removing(tx).run({ name });
