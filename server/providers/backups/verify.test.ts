import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFolderStore } from "./folderStore.ts";
import { verifyArchive } from "./verify.ts";

const folder = mkdtempSync(join(tmpdir(), "spawner-verify-"));
const store = createFolderStore(join(folder, "store"));
const long = `files/${"a-long-name/".repeat(20)}ünïcode.txt`;
let good: Buffer;

beforeAll(() => {
  const data = join(folder, "data");
  mkdirSync(join(data, long, ".."), { recursive: true });
  writeFileSync(join(data, "files", "posts.json"), "[]\n");
  writeFileSync(join(data, long), Buffer.alloc(200_000, "x"));
  good = execFileSync("tar", ["-cz", "-C", data, "files/posts.json", long]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");
async function verify(content: Buffer, expected = { bytes: content.length, sha256: sha256(content) }) {
  await store.put("archive", Readable.from([content]));
  return verifyArchive(store, "archive", expected);
}

test("a good archive is good, with every entry, also one with a long name", async () => {
  expect(await verify(good)).toEqual({
    ok: true,
    entries: [
      { name: "files/posts.json", bytes: 3 },
      { name: long, bytes: 200_000 },
    ],
  });
});

test("a byte that has changed is found", async () => {
  const changed = Buffer.from(good);
  changed[9] = (changed[9] ?? 0) ^ 1;
  const result = await verify(changed, { bytes: good.length, sha256: sha256(good) });
  expect(result).toMatchObject({ ok: false, userMessage: expect.stringMatching(/checksum|damaged/) });
});

test("an archive that ends too early is found, even if its checksum was taken afterwards", async () => {
  expect(await verify(good.subarray(0, good.length - 40))).toMatchObject({ ok: false });
});

test("what is no archive is found", async () => {
  expect(await verify(Buffer.from("not an archive at all"))).toMatchObject({
    ok: false,
    userMessage: expect.stringContaining("can't be opened"),
  });
});
