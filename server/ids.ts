import { randomBytes } from "node:crypto";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

type RandomSource = (bytes: number) => Uint8Array;
let source: RandomSource = randomBytes;

/** A simulation that must be repeatable brings its own randomness. */
export function setRandomSource(other: RandomSource): void {
  source = other;
}

/** A fresh random name of 80 bits: fits into tags, file names and addresses. */
export function newId(): string {
  return Array.from(source(16), (byte) => alphabet[byte % 32]).join("");
}

/** A fresh secret of 192 bits, base64url. */
export const newSecret = (): string => Buffer.from(source(24)).toString("base64url");
