import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import pLimit from "p-limit";

/** OWASP's recommendation for scrypt: N = 2^17, r = 8, p = 1, about 128 MiB and 0.3 s for each attempt. */
const cost = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 };

/** Many attempts at once would take the machine's memory, and the threads that everything else needs. */
const atOnce = pLimit(2);

const derive = (password: string, salt: Buffer) =>
  atOnce(
    () =>
      new Promise<Buffer>((resolve, reject) => {
        scrypt(password.normalize("NFKC"), salt, 32, cost, (error, key) =>
          error === null ? resolve(key) : reject(error),
        );
      }),
  );

/** Hashes a password with scrypt and a salt of its own. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return `scrypt$${salt.toString("base64")}$${(await derive(password, salt)).toString("base64")}`;
}

/** Compares in constant time. False for anything that {@link hashPassword} did not make. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const [scheme, salt = "", expected = ""] = hash.split("$");
  if (scheme !== "scrypt") return false;
  const key = Buffer.from(expected, "base64");
  const given = await derive(password, Buffer.from(salt, "base64"));
  return key.length === given.length && timingSafeEqual(key, given);
}
