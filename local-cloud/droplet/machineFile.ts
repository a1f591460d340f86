import { readFile } from "node:fs/promises";

/** What the cloud tells a droplet's process when it starts it: `droplets/<id>/machine.json`. */
export type MachineFile = {
  id: number;
  name: string;
  root: string;
  hostKeyFile: string;
  address: string;
  sshPort: number;
  webPort: number;
  releasesUrl: string;
  /** Public keys of the create call; nobody else gets in. */
  authorizedKeys: string[];
  /** Epoch milliseconds before which nothing answers. */
  bootAt: number;
  sshRefused: boolean;
  /** The Node.js that the droplet's programs run with. */
  node: string;
  /** Whom the droplet becomes once it has read what only its host may read. */
  account?: { uid: number; gid: number };
};

// Checked by hand, without zod: every droplet is a process and pays for what it imports.
export async function readMachineFile(file: string): Promise<MachineFile> {
  const content: unknown = JSON.parse(await readFile(file, "utf8"));
  if (isMachineFile(content)) return content;
  throw new Error(`${file} does not describe a droplet. The local cloud writes it anew when it starts.`);
}

const isAccount = (value: unknown): boolean =>
  value === undefined ||
  (typeof value === "object" &&
    value !== null &&
    "uid" in value &&
    "gid" in value &&
    typeof value.uid === "number" &&
    typeof value.gid === "number");

function isMachineFile(content: unknown): content is MachineFile {
  if (typeof content !== "object" || content === null) return false;
  const fields = new Map<string, unknown>(Object.entries(content));
  const has = (type: string, ...names: string[]) => names.every((name) => typeof fields.get(name) === type);
  const keys = fields.get("authorizedKeys");
  return (
    has("number", "id", "sshPort", "webPort", "bootAt") &&
    has("string", "name", "root", "hostKeyFile", "address", "releasesUrl", "node") &&
    has("boolean", "sshRefused") &&
    isAccount(fields.get("account")) &&
    Array.isArray(keys) &&
    keys.every((key) => typeof key === "string")
  );
}
