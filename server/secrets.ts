import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";

/** One purpose, one key: what leaks from one use says nothing about another. */
export function deriveKey(secretKey: string, purpose: "variables" | "sessions"): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync("sha256", secretKey, "intranet-spawner", purpose, 32)));
}

/** Seals a value with AES-256-GCM; `context` (whose it is) must be the same when it is opened. */
export function seal(key: KeyObject, plain: string, context: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
}

/** Opens what {@link seal} made. Throws when the key, the context or a byte of it differs. */
export function open(key: KeyObject, sealed: string, context: string): string {
  const bytes = Buffer.from(sealed, "base64");
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12))
    .setAAD(Buffer.from(context))
    .setAuthTag(bytes.subarray(12, 28));
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8");
}
