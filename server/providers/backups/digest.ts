import { createHash } from "node:crypto";
import { Transform } from "node:stream";
import type { Stored } from "./backups.ts";

/** Lets a stream pass, and knows afterwards how much it was and its SHA-256 (hex). */
export function digestOf(onBytes?: (bytes: number) => void): { through: Transform; result: () => Stored } {
  const hash = createHash("sha256");
  let bytes = 0;
  const through = new Transform({
    transform(chunk: Buffer | string, _encoding, next) {
      const part = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
      hash.update(part);
      bytes += part.length;
      onBytes?.(bytes);
      next(null, part);
    },
  });
  return { through, result: () => ({ bytes, sha256: hash.digest("hex") }) };
}
