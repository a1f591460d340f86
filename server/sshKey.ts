import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";

/**
 * The key pair by which the Spawner enters its droplets: made once, the private half in DATA_DIR (0600).
 * Throws when ssh-keygen is missing.
 */
export function ensureSshKeyPair(dataDir: string): {
  privateKeyFile: string;
  publicKey: string;
  name: string;
} {
  const privateKeyFile = join(dataDir, "ssh-key");
  if (!existsSync(privateKeyFile)) {
    const fresh = `${privateKeyFile}.${process.pid}`;
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "intranet-spawner", "-f", fresh]);
    renameSync(`${fresh}.pub`, `${privateKeyFile}.pub`);
    // The private half comes last: when it is there, both are.
    renameSync(fresh, privateKeyFile);
  }
  const publicKey = readFileSync(`${privateKeyFile}.pub`, "utf8").trim();
  const mark = createHash("sha256").update(publicKey).digest("hex").slice(0, 8);
  return { privateKeyFile, publicKey, name: `intranet-spawner-${mark}` };
}
