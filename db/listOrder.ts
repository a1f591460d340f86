import type { InstanceStatus } from "./schema.ts";

/** The order and the search of the list of instances. The page and SQL go by the same. Shared with the page. */

export type InstanceGroup = "needs" | "underWay" | "well" | "over";

/** The parts of the list, in their order. */
export const instanceGroups: readonly InstanceGroup[] = ["needs", "underWay", "well", "over"];

/** Which part of the list an instance belongs to. */
export const groupOf: Record<InstanceStatus, InstanceGroup> = {
  spawning: "underWay",
  running: "well",
  "backing-up": "underWay",
  restoring: "underWay",
  updating: "underWay",
  destroying: "underWay",
  destroyed: "over",
  failed: "needs",
  unreachable: "needs",
  off: "well",
};

export const rankOf = (group: InstanceGroup): number => instanceGroups.indexOf(group);

/** The rank of a row's group, as an expression that an index holds: a query has to say it in the same words. */
export const rankExpression = `case status ${Object.entries(groupOf)
  .map(([status, group]) => `when '${status}' then ${rankOf(group)}`)
  .join(" ")} end`;

/** A text as it is compared: without case and without what letters carry. "Många" is found by "manga". */
export const folded = (text: string): string =>
  text
    .normalize("NFKD")
    .replaceAll(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replaceAll("ß", "ss")
    .replaceAll("æ", "ae")
    .replaceAll("ø", "o");

const longestNumber = 12;

/** What a company is sorted and searched by. Numbers count as such: "Shop 2" comes before "Shop 10". */
export function listNames(company: string): { sortName: string; searchName: string } {
  const searchName = folded(company);
  const sortName = searchName.replaceAll(/\d+/g, (digits) => digits.padStart(longestNumber, "0"));
  return { sortName, searchName };
}

/** What was typed into the search, as it is looked for: a copied address counts without its scheme. */
export const searchWords = (typed: string): string =>
  folded(typed.trim())
    .replace(/^https?:\/\//, "")
    .replace(/\/$/, "");
