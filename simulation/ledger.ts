import type { Database } from "better-sqlite3";
import type { Cloud, SimDroplet, SimSnapshot } from "./cloud.ts";
import { type Post, postsOn } from "./disk.ts";
import type { Store } from "./store.ts";

/** What was promised to people who posted, and whether it is still kept somewhere. */
export function createLedger(options: {
  cloud: Cloud;
  store: Store;
  connection: Database;
  broken: (rule: string, what: string) => void;
}) {
  const { cloud, store, connection, broken } = options;
  const posts = new Map<Post, { instanceId: string }>();
  const waived = new Set<Post>();
  const goodKeys = connection.prepare("select key from backups where state = 'good'").pluck();

  /** Every post that lies somewhere it can be had from, but for what `without` names. */
  function kept(without: { droplet?: SimDroplet; snapshot?: SimSnapshot; key?: string } = {}): Set<Post> {
    const found = new Set<Post>();
    for (const droplet of cloud.droplets.values())
      if (!droplet.isGone && droplet !== without.droplet)
        for (const one of postsOn(droplet.disk)) found.add(one);
    for (const snapshot of cloud.snapshots.values())
      if (snapshot !== without.snapshot) for (const one of postsOn(snapshot.disk)) found.add(one);
    for (const key of goodKeys.all() as string[])
      if (key !== without.key) for (const one of store.postsOf(key) ?? []) found.add(one);
    return found;
  }

  function missing(without?: Parameters<typeof kept>[0]): Post[] {
    if (posts.size === waived.size) return [];
    const there = kept(without);
    return [...posts.keys()].filter((one) => !waived.has(one) && !there.has(one));
  }

  return {
    /** Somebody was told that it is kept. */
    acknowledge: (post: Post, instanceId: string) => posts.set(post, { instanceId }),
    /** Nobody can ask for these any more: it was not the Spawner that lost them, or Joe removed them for good. */
    waive(lost: readonly Post[]): void {
      for (const one of lost) waived.add(one);
    },
    ofInstance: (instanceId: string): Post[] =>
      [...posts].filter(([, one]) => one.instanceId === instanceId).map(([post]) => post),
    missing,
    /** Says what is lost, once. */
    check(why: string, without?: Parameters<typeof kept>[0]): void {
      const lost = missing(without);
      if (lost.length === 0) return;
      broken("data", `${lost.join(", ")} lost: ${why}`);
      for (const one of lost) waived.add(one);
    },
    isWaived: (post: Post) => waived.has(post),
  };
}

export type Ledger = ReturnType<typeof createLedger>;
