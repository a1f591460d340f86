import { ProviderError } from "#server/providers/errors.ts";

type Page<Entry> = {
  entries: Entry[];
  links?: { pages?: { next?: string | undefined } | undefined } | undefined;
  meta?: { total: number } | undefined;
};
type ReadPage<Entry> = (page: number) => Promise<Page<Entry>>;
type Reading<Entry> = {
  entries: Entry[];
  /** Whether it took more than one page: then the list may have shifted between them. */
  hasPages: boolean;
  /** False when it holds an entry twice, or not as many as DigitalOcean counts. */
  isWhole: boolean;
};

/** How often a list that shifts under its reader is read before that is an error. */
const readings = 6;

/** All pages of a list, read one after another. What moves from one to another meanwhile is missing, or there twice. */
export async function readOnce<Entry extends { id: number }>(
  readPage: ReadPage<Entry>,
): Promise<Reading<Entry>> {
  const entries: Entry[] = [];
  let areCounted = true;
  for (let page = 1; ; page += 1) {
    const answer = await readPage(page);
    entries.push(...answer.entries);
    const { total } = answer.meta ?? {};
    if (answer.links?.pages?.next !== undefined) {
      areCounted &&= total === undefined || total >= entries.length;
      continue;
    }
    const isUnique = new Set(entries.map(({ id }) => id)).size === entries.length;
    areCounted &&= total === undefined || total === entries.length;
    return { entries, hasPages: page > 1, isWhole: isUnique && areCounted };
  }
}

/**
 * A list on which something irreversible may be decided: one page that is whole, or of several pages two readings in a
 * row that agree. Throws ProviderError while the list shifts faster than it can be read.
 */
export async function readSettled<Entry extends { id: number }>(readPage: ReadPage<Entry>): Promise<Entry[]> {
  let before: string | undefined;
  for (let reading = 0; reading < readings; reading += 1) {
    const { entries, hasPages, isWhole } = await readOnce(readPage);
    if (isWhole && !hasPages) return entries;
    const found = isWhole ? JSON.stringify(entries.map(({ id }) => id).sort((a, b) => a - b)) : undefined;
    if (found !== undefined && found === before) return entries;
    before = found;
  }
  throw new ProviderError({
    userMessage: "DigitalOcean's list is changing faster than it can be read.",
    detail: `no two of ${readings} readings agree`,
    retryable: true,
  });
}
