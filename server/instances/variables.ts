import type { KeyObject } from "node:crypto";
import { and, asc, eq, max, sql } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { operations, variables } from "#db/schema.ts";
import type { VariableView } from "#server/api/views.ts";
import { CommandError } from "#server/commandError.ts";
import type { Variable } from "#server/operations/engine/define.ts";
import { open, seal } from "#server/secrets.ts";
import type { EditedVariable } from "./inputs.ts";
import { maxVariableBytes, maxVariables } from "./rules.ts";

type NewVariable = { name: string; value: string; secret: boolean; system?: boolean };
type Owner = { id: string; variableSet: number };
const context = (instanceId: string, name: string) => `${instanceId}/${name}`;

const reading = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select()
    .from(variables)
    .where(and(eq(variables.instanceId, given("instanceId")), eq(variables.set, given("set"))))
    .orderBy(asc(variables.position))
    .prepare(),
);
const rowsOf = (tx: Pick<Tx, "select">, instanceId: string, set: number) =>
  reading(tx).all({ instanceId, set });

const inserting = prepared((tx: Pick<Tx, "insert">) =>
  tx
    .insert(variables)
    .values({
      instanceId: given("instanceId"),
      set: given("set"),
      name: given("name"),
      value: given("value"),
      secret: given("secret"),
      system: given("system"),
      position: given("position"),
      setAt: given("at"),
    })
    .prepare(),
);

/** Keeps an instance's variables as one of its sets; secret values are sealed before they reach the file. */
export function insertVariables(
  tx: Tx,
  key: KeyObject,
  { id: instanceId, variableSet: set }: Owner,
  list: readonly NewVariable[],
  at: number,
): void {
  list.forEach(({ name, value, secret, system = false }, position) => {
    const kept = secret ? seal(key, value, context(instanceId, name)) : value;
    inserting(tx).run({ instanceId, set, name, value: kept, secret, system, position, at });
  });
}

/** The variables of a set, opened. For the worker alone: nothing of it may reach a page, a log or a mail. */
export function openVariables(
  tx: Pick<Tx, "select">,
  key: KeyObject,
  instanceId: string,
  set: number,
): Variable[] {
  return rowsOf(tx, instanceId, set).map(({ name, value, secret }) => ({
    name,
    value: secret ? open(key, value, context(instanceId, name)) : value,
    secret,
  }));
}

/** What Joe may see: no secret's value, and nothing that the Spawner made for itself. */
export function visibleVariables(tx: Pick<Tx, "select">, { id, variableSet }: Owner): VariableView[] {
  return rowsOf(tx, id, variableSet)
    .filter((row) => !row.system)
    .map(({ name, value, secret, setAt }) => ({ name, value: secret ? null : value, secret, setAt }));
}

const broughtIn = z.object({ previousSet: z.number() }).partial();

/**
 * The set that the one in effect has replaced, to be put back; undefined while there is none. The one numbered before it
 * may never have been in effect: its edit failed.
 */
export function previousSet(tx: Pick<Tx, "select">, { id, variableSet }: Owner): number | undefined {
  const edit = tx
    .select({ facts: operations.facts })
    .from(operations)
    .where(
      and(
        eq(operations.instanceId, id),
        eq(operations.kind, "edit-variables"),
        eq(operations.state, "done"),
        sql`json_extract(${operations.facts}, '$.variableSet') = ${variableSet}`,
      ),
    )
    .get();
  return broughtIn.parse(edit?.facts ?? {}).previousSet;
}

function nextSet(tx: Pick<Tx, "select">, instanceId: string): number {
  const newest = tx
    .select({ set: max(variables.set) })
    .from(variables)
    .where(eq(variables.instanceId, instanceId))
    .get();
  return (newest?.set ?? 0) + 1;
}

/**
 * Writes an edit as a new set and returns its number. A secret whose value is null keeps the one it has. Throws a
 * CommandError when there is none to keep, or when all together hold too much.
 */
export function newVariableSet(
  tx: Tx,
  key: KeyObject,
  instance: Owner,
  edited: readonly EditedVariable[],
  at: number,
): number {
  const current = openVariables(tx, key, instance.id, instance.variableSet);
  const own = rowsOf(tx, instance.id, instance.variableSet);
  const since = new Map(own.map((row) => [row.name, row.setAt]));
  const system = own.filter((row) => row.system).map((row) => row.name);
  const list = edited.map(({ name, value, secret }, index): NewVariable => {
    const before = current.find((variable) => variable.name === name && variable.secret);
    const kept = value ?? (secret ? before?.value : undefined);
    if (kept === undefined) {
      const userMessage = `Enter a value for ${name}. It doesn't have one yet.`;
      throw new CommandError("invalid", userMessage, { [`variables.${index}.value`]: userMessage });
    }
    return { name, value: kept, secret };
  });
  const bytes = list.reduce((sum, { name, value }) => sum + Buffer.byteLength(name + value), 0);
  if (list.length > maxVariables || bytes > maxVariableBytes)
    throw new CommandError(
      "invalid",
      `Use at most ${maxVariables} variables of ${maxVariableBytes / 1024} KiB together.`,
    );
  const set = nextSet(tx, instance.id);
  const ours = current.filter(({ name }) => system.includes(name)).map((one) => ({ ...one, system: true }));
  insertVariables(tx, key, { id: instance.id, variableSet: set }, [...list, ...ours], at);
  // What was not changed says since when it has been so.
  for (const { name, value, secret } of list) {
    const before = current.find((variable) => variable.name === name);
    const setAt = since.get(name);
    if (before?.value === value && before.secret === secret && setAt !== undefined)
      tx.update(variables)
        .set({ setAt })
        .where(and(eq(variables.instanceId, instance.id), eq(variables.set, set), eq(variables.name, name)))
        .run();
  }
  return set;
}

/** Copies an earlier set to a new one and returns its number. */
export function restoreVariableSet(tx: Tx, instance: Owner, from: number, at: number): number {
  const rows = rowsOf(tx, instance.id, from);
  if (rows.length === 0) throw new CommandError("not-found", "These variables no longer exist.");
  const set = nextSet(tx, instance.id);
  for (const row of rows)
    tx.insert(variables)
      .values({ ...row, set, setAt: at })
      .run();
  return set;
}

/** Gives a new instance the variables of another one; each secret is sealed anew for its new owner. */
export function copyVariables(
  tx: Tx,
  key: KeyObject,
  from: Owner,
  to: Owner,
  adminKey: string,
  at: number,
): void {
  const rows = rowsOf(tx, from.id, from.variableSet);
  const opened = openVariables(tx, key, from.id, from.variableSet);
  const list = rows.map(({ name, secret, system }, index) => ({
    name,
    secret,
    system,
    value: name === "ADMIN_KEY" ? adminKey : (opened[index]?.value ?? ""),
  }));
  insertVariables(tx, key, to, list, at);
}
