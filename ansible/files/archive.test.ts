import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";

const program = join(import.meta.dirname, "archive.py");
let folder: string;
let data: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spawner-archive-"));
  data = join(folder, "var", "intranet");
  mkdirSync(join(data, "files"), { recursive: true });
  writeFileSync(join(data, "posts.json"), '[{"text":"one"}]');
  writeFileSync(join(data, "files", "ünï code.txt"), "x".repeat(3000));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(command: string, ...args: string[]) {
  const result = spawnSync("python3", [program, command, "--root", `files=${data}`, ...args], {
    env: { ...process.env, HOME: folder },
    encoding: "utf8",
  });
  return { code: result.status, said: `${result.stdout}${result.stderr}` };
}
const manifestSchema = z.object({
  archive: z.object({ bytes: z.number(), sha256: z.string() }),
  contents: z.object({
    files: z.number(),
    bytes: z.number(),
    tree: z.string(),
    counts: z.record(z.string(), z.number()),
  }),
});
function dump(id: string) {
  expect(run("dump", "--id", id, "--version", "2.14.0", "--count", "posts=files/posts.json").code).toBe(0);
  return manifestSchema.parse(JSON.parse(readFileSync(join(folder, "backups", `${id}.json`), "utf8")));
}
const posts = () => readFileSync(join(data, "posts.json"), "utf8");

test("a dump says what is in it, and any tar can open it", () => {
  const { archive, contents } = dump("one");
  expect(contents).toMatchObject({ files: 2, bytes: 3016, counts: { posts: 1 } });
  const path = join(folder, "backups", "one.tar.gz");
  expect(execFileSync("sha256sum", [path], { encoding: "utf8" })).toContain(archive.sha256);
  expect(execFileSync("tar", ["-tzf", path, "--quoting-style=literal"], { encoding: "utf8" })).toBe(
    "files/posts.json\nfiles/files/ünï code.txt\n",
  );
});

test("what is unpacked takes the data's place, and the data from before comes back", () => {
  const { contents } = dump("one");
  writeFileSync(join(data, "posts.json"), '[{"text":"two"}]');
  expect(run("unpack", "--id", "one", "--tree", contents.tree).code).toBe(0);
  expect(run("swap", "--before", "op").code).toBe(0);
  expect(posts()).toContain("one");
  // Run again, as after a crash: the data from before is still the one from before.
  expect(run("unpack", "--id", "one", "--tree", contents.tree).code).toBe(0);
  expect(run("swap", "--before", "op").code).toBe(0);
  expect(run("back", "--before", "op").code).toBe(0);
  expect(posts()).toContain("two");
  expect(run("back", "--before", "op").code).toBe(0);
  expect(posts()).toContain("two");
});

test("what is not what was backed up does not take the data's place", () => {
  dump("one");
  const { code, said } = run("unpack", "--id", "one", "--tree", "0".repeat(64));
  expect(code).not.toBe(0);
  expect(said).toContain("the checksums differ");
  expect(posts()).toContain("one");
});

test("a name that leads out of the data is refused", () => {
  mkdirSync(join(folder, "backups"), { recursive: true });
  writeFileSync(join(folder, "evil"), "x");
  execFileSync("tar", [
    "-czf",
    join(folder, "backups", "evil.tar.gz"),
    "-C",
    folder,
    "--transform=s,^evil,files/../../evil,",
    "-P",
    "evil",
  ]);
  const { code, said } = run("unpack", "--id", "evil", "--tree", "0".repeat(64));
  expect(code).not.toBe(0);
  expect(said).toContain("does not belong there");
});

test("a dump tidies up what earlier dumps and restores left", () => {
  const { contents } = dump("one");
  run("unpack", "--id", "one", "--tree", contents.tree);
  run("swap", "--before", "old");
  dump("two");
  expect(readdirSync(join(folder, "backups")).sort()).toEqual(["two.json", "two.tar.gz"]);
  expect(existsSync(`${data}.before-old`)).toBe(false);
  expect(run("remove", "--id", "two").code).toBe(0);
  expect(readdirSync(join(folder, "backups"))).toEqual([]);
});
