import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { endProcess, identify, identitySchema, isAlive } from "./identity.ts";

const entrySchema = identitySchema.extend({ name: z.string() });
type Entry = z.infer<typeof entrySchema>;

/** The note in DATA_DIR/processes.json of what runs for this data folder, so that a successor finds it. */
export function processNotes(dataDir: string) {
  const file = join(dataDir, "processes.json");

  function read(): Entry[] {
    if (!existsSync(file)) return [];
    try {
      return z.array(entrySchema).parse(JSON.parse(readFileSync(file, "utf8")));
    } catch {
      // Half a note, left by a machine that lost its power: what it named does not run any more.
      return [];
    }
  }

  function write(entries: Entry[]): void {
    writeFileSync(`${file}.new`, `${JSON.stringify(entries, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  return {
    note(name: string, pid: number): void {
      const identity = identify(pid);
      const others = read().filter((entry) => entry.name !== name);
      write(identity === undefined ? others : [...others, { name, ...identity }]);
    },
    forget(name: string): void {
      write(read().filter((entry) => entry.name !== name));
    },
    /** Ends what a predecessor that was killed outright has left running, except for `keep`. Tells their names. */
    async endOrphans(keep: readonly string[] = []): Promise<string[]> {
      const orphans = read().filter((entry) => !keep.includes(entry.name) && isAlive(entry));
      await Promise.all(orphans.map((entry) => endProcess(entry)));
      write(read().filter((entry) => keep.includes(entry.name) && isAlive(entry)));
      return orphans.map((entry) => entry.name);
    },
  };
}

export type ProcessNotes = ReturnType<typeof processNotes>;
