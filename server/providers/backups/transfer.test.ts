import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestDroplet, type TestDroplet } from "#server/providers/playbooks/testing/testDroplet.ts";
import { createFolderStore } from "./folderStore.ts";
import { transfer } from "./transfer.ts";

const folder = mkdtempSync(join(tmpdir(), "spawner-transfer-"));
const store = createFolderStore(folder);
let droplet: TestDroplet;
const home = () => join(droplet.root, "root");
const host = () => ({
  address: droplet.address,
  port: droplet.port,
  user: "root",
  hostKey: droplet.hostKey,
  privateKeyFile: droplet.privateKeyFile,
});
const content = randomBytes(3 * 1024 * 1024);
const sha256 = createHash("sha256").update(content).digest("hex");

beforeAll(async () => {
  droplet = await startTestDroplet();
  mkdirSync(join(home(), "backups"));
  writeFileSync(join(home(), "backups", "it's one.tar.gz"), content);
});
afterAll(async () => {
  await droplet.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a file of the droplet reaches the store, byte for byte", async () => {
  const stored = await transfer.fetchFile(host(), "backups/it's one.tar.gz", store, "fetched");
  expect(stored).toEqual({ bytes: content.length, sha256 });
  expect(readFileSync(join(folder, "fetched"))).toEqual(content);
});

test("a file that is not there stores nothing, and says what to do", async () => {
  await expect(transfer.fetchFile(host(), "backups/none", store, "none")).rejects.toMatchObject({
    userMessage: "The dump is no longer on the droplet. Start the backup again.",
    retryable: false,
  });
  expect(await store.find("none")).toBeUndefined();
});

test("an object of the store reaches the droplet, for root alone", async () => {
  await store.put("sent", Readable.from([content]));
  const sent = await transfer.sendFile(store, "sent", host(), "restores/two.tar.gz");
  expect(sent).toEqual({ bytes: content.length, sha256 });
  const path = join(home(), "restores", "two.tar.gz");
  expect(readFileSync(path)).toEqual(content);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("what is large passes through, there and back, and is never held", async () => {
  const size = 256 * 1024 * 1024;
  const path = join(home(), "backups", "large");
  // A hole of a file: it takes no room on the disk, and each byte of it is sent all the same.
  writeFileSync(path, "");
  truncateSync(path, size);
  let most = 0;
  const sampler = setInterval(() => {
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    most = Math.max(most, arrayBuffers + heapUsed);
  }, 5);
  try {
    const before = process.memoryUsage();
    const stored = await transfer.fetchFile(host(), "backups/large", store, "large");
    expect(stored.bytes).toBe(size);
    expect(await transfer.sendFile(store, "large", host(), "restores/large")).toEqual(stored);
    expect(most - before.arrayBuffers - before.heapUsed).toBeLessThan(size / 2);
  } finally {
    clearInterval(sampler);
  }
});

test("small files are read, and files are removed", async () => {
  writeFileSync(join(home(), "backups", "one.json"), '{"ü":1}');
  expect(await transfer.readTextFile(host(), "backups/one.json")).toBe('{"ü":1}');
  await transfer.removeFiles(host(), ["backups/one.json", "backups/never-was"]);
  await expect(transfer.readTextFile(host(), "backups/one.json")).rejects.toThrow();
});

test("a machine that shows another host key gets nothing", async () => {
  const stranger = {
    ...host(),
    hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJuQG0kq9mTg0y6x0B7aT5p8q3w4e5r6t7y8u9i0o1p2",
  };
  await expect(transfer.sendFile(store, "sent", stranger, "x")).rejects.toMatchObject({
    userMessage: expect.stringContaining("Another machine answers"),
    retryable: false,
  });
});

test("what is stopped stores nothing", async () => {
  const abort = new AbortController();
  abort.abort(new Error("enough"));
  const asked = transfer.fetchFile(host(), "backups/it's one.tar.gz", store, "stopped", {
    signal: abort.signal,
  });
  await expect(asked).rejects.toThrow("enough");
  expect(await store.find("stopped")).toBeUndefined();
});

test("nobody listens: it is tried again", async () => {
  await expect(transfer.readTextFile({ ...host(), port: 1 }, "x")).rejects.toMatchObject({ retryable: true });
});
