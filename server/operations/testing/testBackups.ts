import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Transfer } from "#server/providers/backups/transfer.ts";
import type { PlaybookRunner } from "#server/providers/playbooks/playbooks.ts";
import type { Probe } from "#server/providers/probe.ts";

export type TestArchive = { content: Buffer; bytes: number; sha256: string; tree: string };

/** An archive as a droplet would have dumped it: one file. */
export function testArchive(): TestArchive {
  const folder = mkdtempSync(join(tmpdir(), "spawner-archive-"));
  mkdirSync(join(folder, "files"));
  const posts = "[]\n";
  writeFileSync(join(folder, "files", "posts.json"), posts);
  const content = execFileSync("tar", ["-cz", "-C", folder, "files/posts.json"]);
  rmSync(folder, { recursive: true });
  return {
    content,
    bytes: content.length,
    sha256: sha256(content),
    tree: sha256(`files/posts.json\0${posts.length}\0${sha256(posts)}\n`),
  };
}

const sha256 = (content: string | Buffer): string => createHash("sha256").update(content).digest("hex");

/** For tests: every droplet has dumped the same archive, and takes whatever is sent to it. */
export function createTestTransfer(archive: TestArchive): Transfer {
  return {
    readTextFile: async () =>
      JSON.stringify({
        takenAt: Date.now(),
        version: "2.13.0",
        archive: { bytes: archive.bytes, sha256: archive.sha256 },
        contents: { files: 1, bytes: 3, tree: archive.tree, counts: { posts: 0 } },
      }),
    fetchFile: (_host, _path, store, key) => store.put(key, Readable.from([archive.content])),
    sendFile: async (store, key) => {
      const digest = createHash("sha256");
      let bytes = 0;
      for await (const part of await store.get(key)) {
        digest.update(part);
        bytes += part.length;
      }
      return { bytes, sha256: digest.digest("hex") };
    },
    removeFiles: async () => {},
  };
}

/** For tests: playbooks that succeed at once; an intranet has the version that was provisioned last at its URL. */
export function createTestPlaybooks() {
  const versions = new Map<string, string>();
  const began = new Set<string>();
  const playbooks: PlaybookRunner = {
    ensureRun: async ({ key, vars, playbook }) => {
      if (began.has(key)) return;
      began.add(key);
      if (playbook === "provision") versions.set(String(vars.url), String(vars.version));
    },
    readRun: async (key, cursor) => ({
      state: "succeeded",
      cursor: 1,
      events: cursor === 0 && began.has(key) ? [{ at: Date.now(), line: `ok: ${key}` }] : [],
    }),
    cancelRun: async () => {},
    forgetRun: async () => {},
    check: async () => ({ ok: true, userMessage: "Ready." }),
  };
  const probe: Probe = {
    answer: async (url) => ({
      ...{ ok: true, status: 200, ms: 5, userMessage: "It answers." },
      version: versions.get(url) ?? "2.13.0",
    }),
    variablesInEffect: async () => undefined,
  };
  return { playbooks, probe };
}
