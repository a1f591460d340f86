/**
 * The versions an upgrade may choose from. `offered` has the newest first; all of it is newer than a version that is
 * no longer offered.
 */
export function newerVersions(offered: readonly string[], current: string): readonly string[] {
  const at = offered.indexOf(current);
  return at === -1 ? offered : offered.slice(0, at);
}
