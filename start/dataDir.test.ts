import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { secureDataDir } from "./dataDir.ts";
import { freshFolder } from "./testing/testProcesses.ts";

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
let before = 0;
beforeEach(() => {
  before = process.umask();
});
afterEach(() => {
  process.umask(before);
});

test("a new data folder is its owner's alone, and so is what is made in it later", () => {
  const dataDir = join(freshFolder(), "data");
  secureDataDir(dataDir);
  writeFileSync(join(dataDir, "later"), "");
  mkdirSync(join(dataDir, "folder"));
  expect([dataDir, join(dataDir, "later"), join(dataDir, "folder")].map(modeOf)).toEqual([
    "700",
    "600",
    "700",
  ]);
});

test("what an earlier version left open to others is closed, and what is others' own is left alone", () => {
  const dataDir = freshFolder();
  const outside = join(freshFolder(), "outside");
  for (const folder of ["backups/acme", "postgres", "cloud/droplets/1", "cloud/snapshots"])
    mkdirSync(join(dataDir, folder), { recursive: true });
  const files = ["spawner.sqlite", "backups/acme/one.tar.gz", "postgres/PG_VERSION", "cloud/droplets/1/disk"];
  for (const file of files) writeFileSync(join(dataDir, file), "", { mode: 0o644 });
  writeFileSync(join(dataDir, "tool"), "", { mode: 0o755 });
  writeFileSync(outside, "", { mode: 0o644 });
  symlinkSync(outside, join(dataDir, "link"));
  chmodSync(dataDir, 0o755);

  secureDataDir(dataDir);
  const modes = Object.fromEntries(
    [...files, "backups", "cloud/snapshots", "tool"].map((file) => [file, modeOf(join(dataDir, file))]),
  );
  expect(modes).toEqual({
    "spawner.sqlite": "600",
    "backups/acme/one.tar.gz": "600",
    "postgres/PG_VERSION": "644",
    "cloud/droplets/1/disk": "644",
    backups: "700",
    "cloud/snapshots": "700",
    tool: "700",
  });
  expect(modeOf(dataDir)).toBe("700");
  expect(modeOf(outside)).toBe("644");
});
