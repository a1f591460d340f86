import { Writable } from "node:stream";
import { Parser } from "tar";

export type TarEntry = { name: string; bytes: number };

/** The longest header an entry may have: enough for any file name, and it bounds memory. */
const longestHeader = 64 * 1024;

/**
 * Takes a tar stream and keeps the names and sizes of its files but skips their contents, so that memory stays flat. Fails
 * if a header is damaged.
 */
export function createTarReader() {
  const entries: TarEntry[] = [];
  let isComplete = false;
  const parser = new Parser({
    strict: true,
    maxMetaEntrySize: longestHeader,
    onReadEntry(entry) {
      if (entry.type === "File" || entry.type === "OldFile")
        entries.push({ name: entry.path, bytes: entry.size });
      entry.resume();
    },
  });
  parser.on("eof", () => {
    isComplete = true;
  });
  let fault: Error | undefined;
  parser.on("error", (error: Error) => {
    // After the archive's own end it only complains that there were no entries, and there may be none.
    if (!isComplete) fault ??= error;
  });
  const stream = new Writable({
    write(chunk: Buffer, _encoding, next) {
      const isReady = parser.write(chunk);
      if (fault !== undefined || isReady) next(fault);
      else parser.once("drain", () => next(fault));
    },
    final(next) {
      parser.end();
      next(fault);
    },
  });
  return {
    stream,
    entries,
    /** Whether the stream came to the archive's own end: two empty blocks. */
    isComplete: () => isComplete,
  };
}
