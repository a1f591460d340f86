import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { ProviderError } from "#server/providers/errors.ts";
import type { BackupStore } from "./backups.ts";

/** Writes something small, reads it back and removes it: only that shows that backups can be kept there. */
export async function roundTrip(
  store: Pick<BackupStore, "put" | "get" | "remove">,
  userMessage: string,
): Promise<{ ok: boolean; userMessage: string }> {
  const key = `check-${randomBytes(6).toString("hex")}.txt`;
  const content = randomBytes(24).toString("hex");
  try {
    await store.put(key, Readable.from([Buffer.from(content)]));
    const parts: Buffer[] = [];
    for await (const part of await store.get(key)) parts.push(Buffer.from(part));
    await store.remove(key);
    return Buffer.concat(parts).toString() === content
      ? { ok: true, userMessage }
      : { ok: false, userMessage: "Data written there doesn't read back the same." };
  } catch (error) {
    return {
      ok: false,
      userMessage: error instanceof ProviderError ? error.userMessage : "It doesn't answer.",
    };
  }
}
