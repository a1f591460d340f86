import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFolderStore } from "./folderStore.ts";
import { createTarReader } from "./tar.ts";
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

test("a good archive is good, and every file counts, also one with a long name", async () => {
  expect(await verify(good)).toEqual({ ok: true, files: 2 });
});

test("an archive without files is good: an intranet where nothing was posted yet", async () => {
  const none = execFileSync("tar", ["-cz", "--files-from", "/dev/null"]);
  expect(await verify(none)).toEqual({ ok: true, files: 0 });
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

test("an archive that is compressed twice is found, as the restore can't unpack it either", async () => {
  expect(await verify(gzipSync(good))).toMatchObject({
    ok: false,
    userMessage: expect.stringContaining("can't be opened"),
  });
});

test("what is no archive is found", async () => {
  expect(await verify(Buffer.from("not an archive at all"))).toMatchObject({
    ok: false,
    userMessage: expect.stringContaining("can't be opened"),
  });
});

/** A tar entry's header, with its checksum. */
function header(name: string, type: string, bytes: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name);
  block.write(`${bytes.toString(8).padStart(11, "0")} `, 124);
  block.write(type, 156);
  block.write("ustar\u000000", 257);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

test("a name that takes 64 MB is not read into memory", async () => {
  const mb = 1024 * 1024;
  const part = Buffer.alloc(mb, "p");
  const endless = Readable.from(
    (function* () {
      yield header("pax", "x", 64 * mb);
      for (let count = 0; count < 64; count += 1) yield part;
      yield header("posts.json", "0", 0);
      yield Buffer.alloc(1024);
    })(),
  );
  const tar = createTarReader();
  const held = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const before = held();
  let most = 0;
  const watched = endless.map((chunk: Buffer) => {
    most = Math.max(most, held() - before);
    return chunk;
  });
  await pipeline(watched, tar.stream);
  expect(tar.files()).toBe(1);
  expect(tar.isComplete()).toBe(true);
  expect(most).toBeLessThan(48 * mb);
});

test("a damaged header is found", async () => {
  const broken = header("posts.json", "0", 0);
  broken[0] = 0x71;
  await expect(
    pipeline(Readable.from([broken, Buffer.alloc(1024)]), createTarReader().stream),
  ).rejects.toThrow(/checksum/i);
});
