/** What Remove for good removes. */
export function removedForGood(snapshots: number, backups: number): string {
  const several = (count: number, what: string) =>
    count === 0 ? [] : [count === 1 ? `its ${what}` : `its ${count} ${what}s`];
  const all = [...several(snapshots, "snapshot"), ...several(backups, "backup")].join(" and ");
  if (all === "") return "It has no snapshots and no backups.";
  const verb = snapshots + backups === 1 ? "is" : "are";
  return `${all.charAt(0).toUpperCase()}${all.slice(1)} ${verb} removed, and with ${verb === "is" ? "it" : "them"} all its data.`;
}
