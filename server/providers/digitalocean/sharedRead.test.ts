import { beforeEach, expect, test } from "vitest";
import { createSharedRead } from "./sharedRead.ts";

let clock = 0;
let reads: { resolve: (value: number) => void; reject: (reason: Error) => void }[] = [];
const make = () =>
  createSharedRead(
    () =>
      new Promise<number>((resolve, reject) => {
        reads.push({ resolve, reject });
      }),
    () => clock,
  );
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

beforeEach(() => {
  clock = 0;
  reads = [];
});

test("a read is shared while it runs, then reused while it is fresh", async () => {
  const read = make();
  const first = read(1000);
  clock = 200;
  const second = read(1000);
  reads[0]?.resolve(1);
  expect(await Promise.all([first, second])).toEqual([1, 1]);
  clock = 999;
  expect(await read(1000)).toBe(1);
  clock = 1000;
  void read(1000);
  expect(reads).toHaveLength(2);
});

test("a slow read is reused for as long again as it took, but not by a caller that wants a fresh one", async () => {
  const read = make();
  const first = read(1000);
  clock = 5000;
  reads[0]?.resolve(1);
  await first;
  clock = 9999;
  expect(await read(1000)).toBe(1);
  expect(reads).toHaveLength(1);
  void read(0);
  expect(reads).toHaveLength(2);
  reads[1]?.resolve(2);
  await settled();
  clock = 10_999;
  void read(1000);
  expect(reads).toHaveLength(3);
});

test("who wants the truth from now on waits for the next read, and shares it", async () => {
  const read = make();
  const old = read(1000);
  const fresh = Array.from({ length: 100 }, () => read(0));
  expect(reads).toHaveLength(1);
  reads[0]?.resolve(1);
  expect(await old).toBe(1);
  await settled();
  expect(reads).toHaveLength(2);
  reads[1]?.resolve(2);
  expect(new Set(await Promise.all(fresh))).toEqual(new Set([2]));
});

test("a read that failed is not kept, and does not stop the next one", async () => {
  const read = make();
  const first = read(1000);
  const next = read(0);
  reads[0]?.reject(new Error("ill"));
  await expect(first).rejects.toThrow("ill");
  await settled();
  reads[1]?.resolve(2);
  expect(await next).toBe(2);
});
