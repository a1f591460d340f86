import { and, desc, eq, isNotNull, isNull, ne } from "drizzle-orm";
import type { Tx } from "../../db/client.ts";
import { aliases, instances } from "../../db/schema.ts";
import { Refusal } from "../refusal.ts";
import type { Web } from "../web.ts";
import { slugProblem } from "./rules.ts";

type Place = { slug: string; domain: string };

/** Whether an address leads, or will lead, to a live instance other than `exceptId`. */
export function isTaken(tx: Pick<Tx, "select">, { slug, domain }: Place, exceptId = ""): boolean {
  const own = tx
    .select({ id: instances.id })
    .from(instances)
    .where(
      and(
        eq(instances.slug, slug),
        eq(instances.domain, domain),
        isNull(instances.destroyedAt),
        ne(instances.id, exceptId),
      ),
    )
    .get();
  const other = tx
    .select({ id: aliases.id })
    .from(aliases)
    .where(and(eq(aliases.slug, slug), eq(aliases.domain, domain), ne(aliases.instanceId, exceptId)))
    .get();
  return own !== undefined || other !== undefined;
}

/** A name like this one that is free; undefined when none comes to mind. */
export function suggestFree(tx: Pick<Tx, "select">, { slug, domain }: Place): string | undefined {
  return Array.from(
    { length: 50 },
    (_, index) => `${slug.slice(0, 37).replace(/-+$/, "")}-${index + 2}`,
  ).find((candidate) => !isTaken(tx, { slug: candidate, domain }));
}

export function addressTaken(tx: Pick<Tx, "select">, { slug, domain }: Place): Refusal {
  const better = suggestFree(tx, { slug, domain });
  const sentence = `${slug}.${domain} is taken. ${better === undefined ? "Choose another name." : `${better} is free.`}`;
  return new Refusal("conflict", sentence, { slug: sentence });
}

/** What the form says about a slug while it is typed. */
export function checkSlug(
  web: Pick<Web, "db">,
  { slug, domain, instanceId }: Place & { instanceId?: string | undefined },
) {
  const nothing = { free: false, sentence: null, suggestion: null, previous: null };
  const problem = slugProblem(slug);
  if (problem !== undefined) return { ...nothing, sentence: problem };
  if (isTaken(web.db, { slug, domain }, instanceId))
    return {
      ...nothing,
      sentence: `${slug}.${domain} is taken.`,
      suggestion: suggestFree(web.db, { slug, domain }) ?? null,
    };
  const previous = web.db
    .select({
      id: instances.id,
      company: instances.company,
      destroyedAt: instances.destroyedAt,
      snapshotId: instances.snapshotId,
    })
    .from(instances)
    .where(and(eq(instances.slug, slug), eq(instances.domain, domain), isNotNull(instances.destroyedAt)))
    .orderBy(desc(instances.destroyedAt))
    .get();
  if (previous === undefined) return { ...nothing, free: true };
  const { snapshotId, ...shown } = previous;
  return { ...nothing, free: true, previous: { ...shown, canComeBack: snapshotId !== null } };
}
