import { createHash } from "node:crypto";
import { Client } from "ssh2";

/** Seconds are generous for a handshake, and short enough to ask again. */
const DEFAULT_TIMEOUT_MS = 5_000;

/**
 * The public host key a machine shows at first contact, as "ssh-ed25519 AAAA…": the handshake stops
 * there, nobody signs in. `undefined` while nothing (or not SSH) answers within `timeoutMs`.
 */
export function scanHostKey(machine: {
  address: string;
  port: number;
  timeoutMs?: number;
}): Promise<string | undefined> {
  const timeoutMs = machine.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return new Promise((resolve) => {
    const client = new Client();
    const finish = (key: string | undefined) => {
      clearTimeout(timer);
      resolve(key);
      client.destroy();
    };
    // Also against a peer that accepts the connection and then says nothing.
    const timer = setTimeout(() => finish(undefined), timeoutMs);
    client.on("error", () => finish(undefined));
    client.on("close", () => finish(undefined));
    client.connect({
      host: machine.address,
      port: machine.port,
      username: "root",
      readyTimeout: timeoutMs,
      algorithms: {
        // ed25519 first: the shortest, and the one every current server has.
        serverHostKey: ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"],
      },
      hostVerifier: (key: Buffer) => {
        finish(publicKeyLine(key));
        return false;
      },
    });
  });
}

/** "SHA256:…", as ssh-keygen prints it, for showing a key to a person. */
export function fingerprintOf(publicKey: string): string {
  const body = publicKey.split(" ")[1] ?? "";
  return `SHA256:${createHash("sha256").update(Buffer.from(body, "base64")).digest("base64").replace(/=+$/, "")}`;
}

/** A key's wire form begins with the length and the name of its type (RFC 4253, 6.6). */
function publicKeyLine(key: Buffer): string | undefined {
  if (key.length < 4) return undefined;
  const end = 4 + key.readUInt32BE(0);
  if (end > key.length) return undefined;
  return `${key.subarray(4, end).toString("ascii")} ${key.toString("base64")}`;
}
