import type { VariableView } from "#server/api/views.ts";

/** A row of the editor. `kept`: the secret keeps the value it has, which never comes to the page. */
export type Edited = { name: string; value: string | null; secret: boolean; kept: boolean };

/** What an edit changes about one variable; values of secrets are null on both sides. */
export type Difference = {
  name: string;
  change: "added" | "removed" | "changed";
  before: string | null;
  after: string | null;
};

/** The difference between the variables in effect and what was typed, by name. */
export function differences(current: readonly VariableView[], edited: readonly Edited[]): Difference[] {
  const before = new Map(current.map((variable) => [variable.name, variable]));
  const after = new Map(edited.map((variable) => [variable.name, variable]));
  const list: Difference[] = [];
  for (const [name, row] of after) {
    const known = before.get(name);
    const value = row.secret ? null : row.value;
    if (known === undefined) list.push({ name, change: "added", before: null, after: value });
    else if (!row.kept && (row.secret || known.secret || row.value !== known.value))
      list.push({ name, change: "changed", before: known.value, after: value });
  }
  for (const [name, { value }] of before)
    if (!after.has(name)) list.push({ name, change: "removed", before: value, after: null });
  return list.sort((a, b) => a.name.localeCompare(b.name));
}
