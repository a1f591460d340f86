import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { explainFailure } from "./explainFailure.ts";
import type { JsonValue, PlaybookName } from "./playbooks.ts";
import { findAnsible } from "./testing/testDroplet.ts";
import { checkVariables, type Runtime, variablesAsYaml } from "./variables.ts";

const ansible = findAnsible();
const title = ansible.missing === undefined ? "the data's playbooks" : `skipped: ${ansible.missing}`;
const ansibleDir = resolve("ansible");
const manifest = z.object({ contents: z.object({ tree: z.string() }) });

/**
 * Stand-ins for the droplet's `service`, and for Compose with a database that is a file: they write down whether the
 * intranet is up.
 */
const standIn = `#!/bin/sh
case "$*" in
  *"exec -T database mongodump"*) cat "$STAND_IN/database" ;;
  *"exec -T database mongorestore"*) cat > "$STAND_IN/database" ;;
  *stop*intranet*) echo down > "$STAND_IN/state" ;;
  *start*intranet*) echo up > "$STAND_IN/state" ;;
esac
`;

let folder: string;
let data: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spawner-data-playbooks-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  data = join(folder, "var");
  for (const path of ["bin", "var/files"]) mkdirSync(join(folder, path), { recursive: true });
  for (const program of ["service", "compose"]) {
    writeFileSync(join(folder, "bin", program), standIn);
    chmodSync(join(folder, "bin", program), 0o755);
  }
  writeFileSync(join(folder, "state"), "up\n");
  write("old");
});

const write = (text: string) => {
  writeFileSync(join(data, "files", "posts.json"), JSON.stringify([text]));
  writeFileSync(join(folder, "database"), text);
};
const isUp = () => readFileSync(join(folder, "state"), "utf8") === "up\n";

/** Runs a playbook here, as on a droplet. */
function run(runtime: Runtime, playbook: PlaybookName, vars: Record<string, JsonValue>) {
  const dataDir = runtime === "local" ? join(data, "files") : data;
  const checked = checkVariables(playbook, { runtime, data_dir: dataDir, ...vars });
  writeFileSync(join(folder, "vars.yml"), variablesAsYaml(checked));
  const compose = JSON.stringify({ compose: [join(folder, "bin", "compose")], ansible_connection: "local" });
  const result = spawnSync(
    "ansible-playbook",
    ["-i", "droplet,", "-e", `@${join(folder, "vars.yml")}`, "-e", compose, `${playbook}.yml`],
    {
      cwd: ansibleDir,
      encoding: "utf8",
      env: {
        ...process.env,
        PATH: `${join(folder, "bin")}:${dirname(process.execPath)}:${process.env.PATH}`,
        ANSIBLE_CONFIG: join(ansibleDir, "ansible.cfg"),
        ANSIBLE_FORCE_COLOR: "0",
        LANG: "C.UTF-8",
        HOME: folder,
        STAND_IN: folder,
        DROPLET_ROOT: folder,
        DROPLET_ADDRESS: "127.0.0.1",
      },
    },
  );
  return { ok: result.status === 0, said: `${result.stdout}${result.stderr}` };
}

describe.skipIf(ansible.missing !== undefined)(title, { timeout: 240_000 }, () => {
  describe.each(["local", "server"] as const)("on runtime %s", (runtime) => {
    const go = (playbook: PlaybookName, vars: Record<string, JsonValue>) => {
      const { ok, said } = run(runtime, playbook, vars);
      expect(ok, said).toBe(true);
    };
    const dump = (backup_id: string, more: Record<string, JsonValue> = {}) => {
      go("backup", { backup_id, version: "2.14.0", ...more });
      const text = readFileSync(join(folder, "backups", `${backup_id}.json`), "utf8");
      return manifest.parse(JSON.parse(text)).contents.tree;
    };
    const restore = (expected_tree: string, restore_id: string) =>
      go("restore", {
        ...{ backup_id: "source", expected_tree, restore_id, leave_stopped: true },
        ...{ url: "http://acme.intranet.io", version: "2.14.0", web_port: 1 },
      });
    const expectData = (text: string) => {
      expect(readFileSync(join(data, "files", "posts.json"), "utf8")).toBe(JSON.stringify([text]));
      if (runtime === "server") expect(readFileSync(join(folder, "database"), "utf8")).toBe(text);
    };

    it("stops the app for a dump that may be put back, swaps once, and goes back", () => {
      const tree = dump("source");
      expect(isUp()).toBe(true);
      write("now");
      dump("op-0", { stop: true });
      expect(isUp()).toBe(false);
      restore(tree, "op-0");
      expectData("old");
      // Run again, as after a crash: what was written since stays.
      write("since");
      restore(tree, "op-0");
      expectData("since");
      dump("op-0-rescue", { stop: true, missing_is_empty: true });
      go("unrestore", { restore_ids: ["op-1", "op-0"] });
      expectData("now");
      expect(isUp()).toBe(true);
      // Nothing is kept any more: the data stays, and the app is up.
      write("later");
      writeFileSync(join(folder, "state"), "down\n");
      go("unrestore", { restore_ids: ["op-0"] });
      expectData("later");
      expect(isUp()).toBe(true);
      dump("next", { tidy_archives: ["source", "op-0"] });
      expect(readdirSync(join(folder, "backups")).filter((name) => name.endsWith(".gz"))).toEqual([
        "next.tar.gz",
        "op-0-rescue.tar.gz",
      ]);
    });

    it("starts the app again when there is no dump, and says why", () => {
      rmSync(join(data, "files"), { recursive: true });
      const { ok, said } = run(runtime, "backup", { backup_id: "op-0", version: "2.14.0", stop: true });
      expect(ok).toBe(false);
      expect(said).toContain("there is no data to back up");
      expect(isUp()).toBe(true);
      expect(existsSync(join(folder, "backups", "op-0.tar.gz"))).toBe(false);
    });
  });

  it("a full disk is explained as one", () => {
    const line =
      'fatal: [droplet]: FAILED! => {"stderr": "No space left on device: the data stays as it is.\\n"}';
    expect(explainFailure([{ at: 1, line, failed: true }]).userMessage).toContain("disk is full");
  });
});
