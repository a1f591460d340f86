import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** For tests: the migrations as they were when there were only `count` of them, in a folder of their own. */
export function olderMigrations(folder: string, count: number): string {
  const older = join(folder, `migrations-${count}`);
  cpSync(join(import.meta.dirname, "../migrations"), older, { recursive: true });
  const journal = join(older, "meta/_journal.json");
  const content = JSON.parse(readFileSync(journal, "utf8"));
  writeFileSync(journal, JSON.stringify({ ...content, entries: content.entries.slice(0, count) }));
  return older;
}
