export type TarEntry = { name: string; bytes: number };

const block = 512;

/**
 * Walks the headers of a tar stream (POSIX ustar with pax and GNU long names) and passes over the contents. `push`
 * throws when a header's checksum is wrong. `entries` are the files; what is no file is passed over.
 */
export function createTarReader() {
  const entries: TarEntry[] = [];
  let head = Buffer.alloc(0);
  /** Bytes of content and padding still to pass over, and what of them is a long name. */
  let skip = 0;
  let name: { parts: Buffer[]; bytes: number; kind: "pax" | "gnu" } | undefined;
  let longName: string | undefined;
  let emptyBlocks = 0;

  function readHeader(header: Buffer): void {
    if (header.every((byte) => byte === 0)) {
      emptyBlocks += 1;
      return;
    }
    emptyBlocks = 0;
    const stated = Number.parseInt(text(header, 148, 8).trim(), 8);
    let sum = 0;
    for (let index = 0; index < block; index += 1)
      sum += index >= 148 && index < 156 ? 32 : (header[index] ?? 0);
    if (sum !== stated) throw new Error("An entry's header is damaged.");
    const bytes = sizeOf(header);
    const type = String.fromCharCode(header[156] ?? 0);
    skip = Math.ceil(bytes / block) * block;
    if (type === "x" || type === "L") {
      name = { parts: [], bytes, kind: type === "x" ? "pax" : "gnu" };
      return;
    }
    const prefix = text(header, 345, 155);
    const short = text(header, 0, 100);
    if (type === "0" || type === "\0")
      entries.push({ name: longName ?? (prefix === "" ? short : `${prefix}/${short}`), bytes });
    longName = undefined;
  }

  function pass(chunk: Buffer): void {
    skip -= chunk.length;
    if (name === undefined) return;
    name.parts.push(chunk);
    if (skip > 0) return;
    const content = Buffer.concat(name.parts).subarray(0, name.bytes).toString("utf8");
    longName =
      name.kind === "gnu" ? content.replace(/\0+$/, "") : (/\d+ path=(.*)\n/.exec(content)?.[1] ?? longName);
    name = undefined;
  }

  return {
    entries,
    push(chunk: Buffer): void {
      let rest = chunk;
      while (rest.length > 0) {
        if (skip > 0) {
          const part = rest.subarray(0, skip);
          rest = rest.subarray(part.length);
          pass(part);
          continue;
        }
        const missing = block - head.length;
        head = Buffer.concat([head, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (head.length < block) return;
        const header = head;
        head = Buffer.alloc(0);
        readHeader(header);
      }
    },
    /** Whether the stream came to the archive's own end: two empty blocks. */
    isComplete: () => emptyBlocks >= 2 && skip === 0 && head.length === 0,
  };
}

const text = (header: Buffer, from: number, length: number): string => {
  const field = header.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? length : end).toString("utf8");
};

/** Octal digits, or for what is larger than 8 GB a binary number (GNU). */
function sizeOf(header: Buffer): number {
  if (((header[124] ?? 0) & 0x80) === 0) return Number.parseInt(text(header, 124, 12).trim() || "0", 8);
  return Number(header.readBigUInt64BE(128));
}
