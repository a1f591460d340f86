import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ProviderError } from "#server/providers/errors.ts";
import type { BackupStore } from "./backups.ts";
import { createFolderStore } from "./folderStore.ts";
import { createS3Store } from "./s3Store.ts";
import { startTestS3, type TestS3 } from "./testing/testS3.ts";

const folder = mkdtempSync(join(tmpdir(), "spawner-store-"));
let s3: TestS3;
const secretAccessKey = "the-secret-that-nobody-sees";

beforeAll(async () => {
  s3 = await startTestS3();
});
afterAll(async () => {
  await s3.close();
  rmSync(folder, { recursive: true, force: true });
});

const s3Store = (over: Partial<Parameters<typeof createS3Store>[0]> = {}) =>
  createS3Store({
    endpoint: s3.endpoint,
    region: "fra1",
    bucket: s3.bucket,
    accessKeyId: s3.accessKeyId,
    secretAccessKey,
    ...over,
  });
const stores: [string, () => BackupStore][] = [
  ["folder", () => createFolderStore(join(folder, "backups"))],
  ["s3", () => s3Store()],
];

async function contentOf(store: BackupStore, key: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of await store.get(key)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}
const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");

/** 40 MiB in small pieces: three parts for S3, and never all of it at once. */
function manyPieces(): { content: () => Generator<Buffer>; sha256: string; bytes: number } {
  const piece = randomBytes(64 * 1024);
  const count = 640;
  const hash = createHash("sha256");
  for (let index = 0; index < count; index += 1) hash.update(piece);
  return {
    content: function* () {
      for (let index = 0; index < count; index += 1) yield piece;
    },
    sha256: hash.digest("hex"),
    bytes: piece.length * count,
  };
}

describe.each(stores)("%s", (kind, create) => {
  const store = () => create();

  test("keeps what it is given, byte for byte, and says what it was", async () => {
    const content = randomBytes(3000);
    const stored = await store().put("acme.intranet.io/one.tar.gz", Readable.from([content]));
    expect(stored).toEqual({ bytes: 3000, sha256: sha256(content) });
    expect(await contentOf(store(), "acme.intranet.io/one.tar.gz")).toEqual(content);
    expect(await store().find("acme.intranet.io/one.tar.gz")).toMatchObject({ bytes: 3000 });
    expect(store().kind).toBe(kind);
  });

  test("takes what is larger than one part", async () => {
    const large = manyPieces();
    const stored = await store().put("large.tar.gz", Readable.from(large.content()));
    expect(stored).toEqual({ bytes: large.bytes, sha256: large.sha256 });
    expect(sha256(await contentOf(store(), "large.tar.gz"))).toBe(large.sha256);
  });

  test("the same key again takes the place of what was there", async () => {
    await store().put("again", Readable.from([Buffer.from("first")]));
    await store().put("again", Readable.from([Buffer.from("second")]));
    expect((await contentOf(store(), "again")).toString()).toBe("second");
  });

  test("a stream that breaks leaves nothing behind", async () => {
    const broken = Readable.from(
      (function* () {
        yield randomBytes(20 * 1024 * 1024);
        throw new Error("the droplet hung up");
      })(),
    );
    await expect(store().put("broken.tar.gz", broken)).rejects.toThrow(ProviderError);
    expect(await store().find("broken.tar.gz")).toBeUndefined();
    if (kind === "s3") await expect.poll(() => s3.pendingUploads()).toBe(0);
    else expect(readdirSync(join(folder, "backups")).filter((name) => name.endsWith(".new"))).toEqual([]);
  });

  test("what is not there is said to be gone, and removing it is fine", async () => {
    expect(await store().find("nothing")).toBeUndefined();
    await expect(store().get("nothing")).rejects.toMatchObject({
      userMessage: "This backup no longer exists. Choose another one.",
      code: "not-found",
    });
    await store().remove("nothing");
    await store().put("gone", Readable.from([Buffer.from("x")]));
    await store().remove("gone");
    expect(await store().find("gone")).toBeUndefined();
  });

  test("an upload that is given up ends at once, and leaves nothing behind", async () => {
    for (const isGivenUpBefore of [true, false]) {
      const giveUp = new AbortController();
      // More is to come, as from a droplet that is slow.
      const content = new PassThrough();
      if (isGivenUpBefore) giveUp.abort();
      const upload = store().put("given-up.tar.gz", content, giveUp.signal);
      const ended = expect(upload).rejects.toMatchObject({ name: "ProviderError", retryable: true });
      if (!isGivenUpBefore && !content.write(randomBytes(20 * 1024 * 1024))) await once(content, "drain");
      giveUp.abort();
      await ended;
      expect(content.destroyed).toBe(true);
      expect(await store().find("given-up.tar.gz")).toBeUndefined();
      if (kind === "s3") await expect.poll(() => s3.pendingUploads()).toBe(0);
      else expect(readdirSync(join(folder, "backups")).filter((name) => name.endsWith(".new"))).toEqual([]);
    }
  });

  test("its check writes, reads and removes", async () => {
    expect(await store().check()).toMatchObject({ ok: true });
  });
});

test("a folder's files are for the Spawner alone, and no key leads out of it", async () => {
  const store = createFolderStore(join(folder, "private"));
  await store.put("a/b.tar.gz", Readable.from([Buffer.from("x")]));
  expect(statSync(join(folder, "private", "a", "b.tar.gz")).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, "private", "a")).mode & 0o777).toBe(0o700);
  await expect(store.put("../outside", Readable.from(["x"]))).rejects.toThrow(ProviderError);
});

test("a folder that can't be written to is named, also when its draft can't be removed", async () => {
  writeFileSync(join(folder, "a-file"), "");
  const store = createFolderStore(join(folder, "a-file"));
  await expect(store.put("a/b.tar.gz", Readable.from([Buffer.from("x")]))).rejects.toMatchObject({
    name: "ProviderError",
    userMessage: "The backup folder couldn't be used.",
  });
});

test("S3 is named with what to put right, and never with the secret", async () => {
  const cases: [BackupStore, RegExp][] = [
    [s3Store({ bucket: "elsewhere" }), /bucket elsewhere doesn't exist/],
    [s3Store({ accessKeyId: "somebody" }), /BACKUP_ACCESS_KEY_ID/],
  ];
  for (const [store, userMessage] of cases) {
    const check = await store.check();
    expect(check.ok).toBe(false);
    expect(check.userMessage).toMatch(userMessage);
    const error = await store.put("x", Readable.from([Buffer.from("x")])).catch((thrown: unknown) => thrown);
    expect(JSON.stringify(error) + String(error)).not.toContain(secretAccessKey);
  }
});

test("S3 that is ill for a moment is asked again", async () => {
  for (const [content, status] of [
    ["ill", 500],
    ["broken", 0],
  ] as const) {
    s3.fail("PUT", "InternalError", status, 1);
    await s3Store().put("patient", Readable.from([content]));
    expect(s3.objects.get("patient")?.toString()).toBe(content);
  }
});

const dayAgo = () => Date.now() - 25 * 3_600_000;

test("a folder's drafts go a day after their upload was killed", async () => {
  const store = createFolderStore(join(folder, "drafts"));
  await store.put("acme.intranet.io/one.tar.gz", Readable.from(["x"]));
  const acme = join(folder, "drafts", "acme.intranet.io");
  for (const name of ["two.tar.gz.0123456789ab.new", "three.tar.gz.0123456789ab.new", "notes.new"])
    writeFileSync(join(acme, name), "half");
  for (const name of ["one.tar.gz", "two.tar.gz.0123456789ab.new", "notes.new"])
    utimesSync(join(acme, name), new Date(dayAgo()), new Date(dayAgo()));
  await store.tidy?.(() => true);
  expect(readdirSync(acme).sort()).toEqual(["notes.new", "one.tar.gz", "three.tar.gz.0123456789ab.new"]);
  await createFolderStore(join(folder, "never-made")).tidy?.(() => true);
});

test("uploads to S3 are aborted a day after they were killed, ours alone", async () => {
  s3.beginUpload("acme.intranet.io/old.tar.gz", dayAgo());
  s3.beginUpload("acme.intranet.io/young.tar.gz", Date.now());
  s3.beginUpload("somebody-elses", dayAgo());
  s3.beginUpload("acme.intranet.io/older.tar.gz", dayAgo());
  await s3Store().tidy?.((key) => key.startsWith("acme."));
  expect(s3.pendingUploads()).toBe(2);
});

describe("an S3 that takes requests and stays silent", () => {
  const store = () => s3Store({ silenceMs: 100 });
  const silence = {
    name: "ProviderError",
    retryable: true,
    userMessage: expect.stringMatching(/doesn't answer/),
  };
  beforeEach(async () => {
    await s3Store().put("whole", Readable.from([randomBytes(1024 * 1024)]));
  });
  afterEach(() => s3.silence());

  test.each<[string, string, (silent: BackupStore) => Promise<unknown>]>([
    ["put", "PUT", (silent) => silent.put("small", Readable.from(["x"]))],
    ["put in parts", "PUT", (silent) => silent.put("large", Readable.from(manyPieces().content()))],
    ["put's begin of parts", "POST", (silent) => silent.put("large", Readable.from(manyPieces().content()))],
    ["get's stream", "GET", (silent) => contentOf(silent, "whole")],
    ["find", "HEAD", (silent) => silent.find("whole")],
    ["remove", "DELETE", (silent) => silent.remove("whole")],
  ])("%s ends with a sentence", { timeout: 15_000 }, async (_what, method, ask) => {
    s3.silence(method);
    await expect(ask(store())).rejects.toMatchObject(silence);
  });

  test("its check says so", { timeout: 15_000 }, async () => {
    s3.silence("PUT");
    expect(await store().check()).toEqual({ ok: false, userMessage: silence.userMessage });
  });

  test("nobody waits who has given up", { timeout: 15_000 }, async () => {
    s3.silence("PUT", "HEAD", "DELETE");
    const patient = s3Store({ silenceMs: 3_600_000 });
    const giveUp = new AbortController();
    const asked = [
      patient.put("small", Readable.from(["x"]), giveUp.signal),
      patient.put("large", Readable.from(manyPieces().content()), giveUp.signal),
      patient.find("whole", giveUp.signal),
      patient.remove("whole", giveUp.signal),
    ];
    const ended = Promise.allSettled(asked);
    await new Promise((resolve) => setImmediate(resolve));
    giveUp.abort();
    for (const one of await ended)
      expect(one).toMatchObject({ status: "rejected", reason: { name: "ProviderError", retryable: true } });
  });
});
