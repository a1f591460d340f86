import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The key of sessions and of secrets at rest: the one in DATA_DIR/secret.key, made there the first time. */
export const secretKeyOf = (dataDir: string): string => randomTextIn(join(dataDir, "secret.key"));

/** The only token that the local cloud accepts: the one in DATA_DIR/local-cloud.token, made there the first time. */
export const cloudTokenOf = (dataDir: string): string => randomTextIn(join(dataDir, "local-cloud.token"));

function randomTextIn(file: string): string {
  if (existsSync(file)) return readFileSync(file, "utf8").trim();
  const text = randomBytes(32).toString("base64url");
  writeFileSync(file, `${text}\n`, { mode: 0o600, flag: "wx" });
  return text;
}
