import { Writable } from "node:stream";
import { Parser } from "tar";

/** The longest header an entry may have: enough for any file name, and it bounds memory. */
const longestHeader = 64 * 1024;

/** What gzip begins with, and no name of a backup's first entry. */
const gzipBegins = 0x1f;

/**
 * Takes a tar stream and counts its files. It keeps nothing of them, so memory stays flat however many there are. Fails
 * if a header is damaged.
 */
export function createTarReader() {
  let files = 0;
  let isComplete = false;
  const parser = new Parser({
    strict: true,
    zstd: false,
    maxMetaEntrySize: longestHeader,
    onReadEntry(entry) {
      if (entry.type === "File" || entry.type === "OldFile") files += 1;
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
  let isFirst = true;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, next) {
      // The parser would unpack it without being asked, all at once, while nothing else runs. The restore would not.
      if (isFirst && chunk[0] === gzipBegins) return next(new Error("The archive is compressed twice."));
      isFirst = false;
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
    files: () => files,
    /** Whether the stream came to the archive's own end: two empty blocks. */
    isComplete: () => isComplete,
  };
}
