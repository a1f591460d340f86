import { asc, eq } from "drizzle-orm";
import type { Tx } from "../../db/client.ts";
import { variables } from "../../db/schema.ts";
import type { Variable } from "../operations/definition.ts";
import { open, seal } from "../secrets.ts";

type NewVariable = { name: string; value: string; secret: boolean; system?: boolean };
const context = (instanceId: string, name: string) => `${instanceId}/${name}`;

/** Keeps an instance's variables; secret values are sealed before they reach the file. */
export function insertVariables(
  tx: Tx,
  key: Buffer,
  instanceId: string,
  list: readonly NewVariable[],
  at: number,
): void {
  list.forEach(({ name, value, secret, system = false }, position) => {
    const kept = secret ? seal(key, value, context(instanceId, name)) : value;
    tx.insert(variables).values({ instanceId, name, value: kept, secret, system, position, setAt: at }).run();
  });
}

/** The variables in effect, opened. For the worker alone: nothing of it may reach a page, a log or a mail. */
export function openVariables(tx: Tx, key: Buffer, instanceId: string): Variable[] {
  return tx
    .select()
    .from(variables)
    .where(eq(variables.instanceId, instanceId))
    .orderBy(asc(variables.position))
    .all()
    .map(({ name, value, secret }) => ({
      name,
      value: secret ? open(key, value, context(instanceId, name)) : value,
      secret,
    }));
}

/** What Joe may see: no secret's value, and nothing that the Spawner made for itself. */
export function visibleVariables(tx: Tx, instanceId: string) {
  return tx
    .select()
    .from(variables)
    .where(eq(variables.instanceId, instanceId))
    .orderBy(asc(variables.position))
    .all()
    .filter((row) => !row.system)
    .map(({ name, value, secret, setAt }) => ({ name, value: secret ? null : value, secret, setAt }));
}
