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

function python(args: string[]) {
  const env = { ...process.env, HOME: folder };
  const result = spawnSync("python3", args, { env, encoding: "utf8" });
  return { code: result.status, said: `${result.stdout}${result.stderr}` };
}
const run = (command: string, ...args: string[]) =>
  python([program, command, "--root", `files=${data}`, ...args]);

/** Runs the program and kills it just before the n-th time it changes something on disk. */
const killedAt = `
import os, runpy, sys
left = int(sys.argv[1])
def counted(call):
    def before(*args, **options):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return call(*args, **options)
    return before
for name in ("rename", "remove", "unlink", "rmdir", "mkdir", "fchmod", "chmod", "fsync", "sync"):
    setattr(os, name, counted(getattr(os, name)))
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
`;
const runKilledAt = (n: number, command: string, ...args: string[]) =>
  python(["-c", killedAt, String(n), program, command, "--root", `files=${data}`, ...args]);
const manifestSchema = z.object({
  archive: z.object({ bytes: z.number(), sha256: z.string() }),
  contents: z.object({
    files: z.number(),
    bytes: z.number(),
    tree: z.string(),
    counts: z.record(z.string(), z.number()),
  }),
});
function dump(id: string, ...args: string[]) {
  const count = ["--count", "posts=files/posts.json"];
  expect(run("dump", "--id", id, "--version", "2.14.0", ...count, ...args).code).toBe(0);
  return manifestSchema.parse(JSON.parse(readFileSync(join(folder, "backups", `${id}.json`), "utf8")));
}
const posts = () => readFileSync(join(data, "posts.json"), "utf8");
const write = (text: string) => writeFileSync(join(data, "posts.json"), JSON.stringify([{ text }]));
/** What stands beside the data, and in the folder of archives. */
const beside = () => readdirSync(join(folder, "var")).sort();
const archives = () => readdirSync(join(folder, "backups")).sort();
/** A dump of "old", with "now" as the data that is there. */
function dumped() {
  write("old");
  const { tree } = dump("source").contents;
  write("now");
  return tree;
}
function restored(name: string) {
  const tree = dumped();
  expect(run("unpack", "--id", "source", "--tree", tree, "--before", name).code).toBe(0);
  expect(run("swap", "--before", name).code).toBe(0);
  return tree;
}

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
  restored("op-0");
  expect(posts()).toContain("old");
  expect(beside()).toEqual(["intranet", "intranet.before-op-0"]);
  expect(run("back", "--back", "op-0").code).toBe(0);
  expect(posts()).toContain("now");
  expect(beside()).toEqual(["intranet"]);
  // Nothing is kept any more: the data stays as it is.
  write("since");
  expect(run("back", "--back", "op-0").code).toBe(0);
  expect(posts()).toContain("since");
});

test("a second run under the same name keeps what was written since the first", () => {
  const tree = restored("op-0");
  write("since");
  expect(run("unpack", "--id", "source", "--tree", tree, "--before", "op-0").code).toBe(0);
  expect(run("swap", "--before", "op-0").code).toBe(0);
  expect(posts()).toContain("since");
  run("back", "--back", "op-0");
  expect(posts()).toContain("now");
});

test("each round keeps under a name of its own, and the way back leads to the first", () => {
  const tree = restored("op-0");
  write("second");
  run("unpack", "--id", "source", "--tree", tree, "--before", "op-1");
  run("swap", "--before", "op-1");
  expect(beside()).toEqual(["intranet", "intranet.before-op-0", "intranet.before-op-1"]);
  expect(run("back", "--back", "op-1", "--back", "op-0").code).toBe(0);
  expect(posts()).toContain("now");
  expect(beside()).toEqual(["intranet"]);
});

test("nothing is swapped for what was not unpacked", () => {
  dumped();
  const { code, said } = run("swap", "--before", "op-0");
  expect(code).not.toBe(0);
  expect(said).toContain("its data stays as it is");
  expect(posts()).toContain("now");
  expect(beside()).toEqual(["intranet"]);
});

test("what is not what was backed up does not take the data's place, and leaves no draft", () => {
  dump("one");
  const { code, said } = run("unpack", "--id", "one", "--tree", "0".repeat(64), "--before", "op-0");
  expect(code).not.toBe(0);
  expect(said).toContain("the checksums differ");
  expect(beside()).toEqual(["intranet"]);
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

test("a dump removes drafts and the names it is given, and nothing else", () => {
  const tree = restored("op-1");
  run("unpack", "--id", "source", "--tree", tree, "--before", "op-10");
  run("swap", "--before", "op-10");
  for (const draft of [`${data}.new`, `${data}.gone`]) mkdirSync(draft);
  for (const file of ["x.tar.gz.new", "x.json.new", "op-1.tar.gz", "op-10.tar.gz"])
    writeFileSync(join(folder, "backups", file), "");
  dump("two");
  expect(beside()).toEqual(["intranet", "intranet.before-op-1", "intranet.before-op-10"]);
  expect(archives()).toEqual([
    "op-1.tar.gz",
    "op-10.tar.gz",
    "source.json",
    "source.tar.gz",
    "two.json",
    "two.tar.gz",
  ]);
  dump("three", "--tidy-kept", "op-1", "--tidy-archive", "op-1", "--tidy-archive", "two");
  expect(beside()).toEqual(["intranet", "intranet.before-op-10"]);
  expect(archives()).toEqual(["op-10.tar.gz", "source.json", "source.tar.gz", "three.json", "three.tar.gz"]);
  for (const id of ["three", "source", "op-10"]) expect(run("remove", "--id", id).code).toBe(0);
  expect(archives()).toEqual([]);
});

test("data that is missing is no backup, unless a swap died half way", () => {
  rmSync(data, { recursive: true });
  const { code, said } = run("dump", "--id", "one");
  expect(code).not.toBe(0);
  expect(said).toContain("there is no data to back up");
  expect(archives()).toEqual([]);
  expect(dump("one", "--missing-is-empty").contents.files).toBe(0);
});

test("a full disk is called that, and leaves no draft", () => {
  const tree = dumped();
  const full = `
import builtins, errno, runpy, sys, tarfile
def write(*_args):
    raise OSError(errno.ENOSPC, "No space left on device")
tarfile.TarFile.addfile = write
tarfile.TarFile.extractfile = write
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
`;
  for (const args of [
    ["dump", "--id", "two"],
    ["unpack", "--id", "source", "--tree", tree],
  ]) {
    const { code, said } = python(["-c", full, program, ...args, "--root", `files=${data}`]);
    expect(code).not.toBe(0);
    expect(said).toContain("No space left on device");
  }
  expect(beside()).toEqual(["intranet"]);
  expect(archives()).toEqual(["source.json", "source.tar.gz"]);
  expect(posts()).toContain("now");
});

/** Kills a command before each of its changes, one after the other, each time in a world of its own. */
function killEverywhere(prepare: () => string[], check: (args: string[], n: number) => void) {
  for (let n = 0; ; n += 1) {
    for (const name of beside())
      if (name !== "intranet") rmSync(join(folder, "var", name), { recursive: true });
    mkdirSync(data, { recursive: true });
    write("now");
    const [command = "", ...args] = prepare();
    const { code } = runKilledAt(n, command, ...args);
    if (code === 0) return n;
    expect(code).toBe(9);
    check([command, ...args], n);
  }
}
function folderWith(path: string, text: string) {
  mkdirSync(path);
  writeFileSync(join(path, "posts.json"), text);
}
const textOf = (path: string) => {
  const file = join(path, "posts.json");
  return existsSync(file) ? readFileSync(file, "utf8") : "";
};
const again = ([command = "", ...args]: string[]) => expect(run(command, ...args).code).toBe(0);

test("a dump that is killed anywhere is done by the next one", () => {
  const kills = killEverywhere(
    () => {
      mkdirSync(`${data}.before-kept`);
      mkdirSync(join(folder, "backups"), { recursive: true });
      writeFileSync(join(folder, "backups", "source.tar.gz"), "");
      return ["dump", "--id", "two", "--version", "2.14.0", "--tidy-archive", "source"];
    },
    (args) => {
      // A manifest says that its archive is complete.
      if (existsSync(join(folder, "backups", "two.json")))
        execFileSync("tar", ["-tzf", join(folder, "backups", "two.tar.gz")]);
      again(args);
      expect(archives()).toEqual(["two.json", "two.tar.gz"]);
      expect(beside()).toEqual(["intranet", "intranet.before-kept"]);
      expect(posts()).toContain("now");
    },
  );
  expect(kills).toBeGreaterThan(6);
});

test("an unpack that is killed anywhere touches no data, and is done by the next one", () => {
  const tree = dumped();
  const kills = killEverywhere(
    () => ["unpack", "--id", "source", "--tree", tree, "--before", "op-0"],
    (args) => {
      expect(posts()).toContain("now");
      again(args);
      expect(textOf(`${data}.new`)).toContain("old");
      expect(posts()).toContain("now");
    },
  );
  expect(kills).toBeGreaterThan(4);
});

test("a swap that is killed anywhere loses nothing: it is done by the next one, or taken back", () => {
  for (const wayOn of ["again", "back"])
    expect(
      killEverywhere(
        () => {
          folderWith(`${data}.new`, "old");
          return ["swap", "--before", "op-0"];
        },
        (args) => {
          expect(textOf(data) + textOf(`${data}.before-op-0`)).toContain("now");
          if (wayOn === "again") {
            again(args);
            expect(posts()).toContain("old");
            expect(textOf(`${data}.before-op-0`)).toContain("now");
          } else {
            again(["back", "--back", "op-0"]);
            expect(posts()).toContain("now");
            expect(beside()).toEqual(["intranet"]);
          }
        },
      ),
    ).toBeGreaterThan(2);
});

test("a way back that is killed anywhere is done by the next one", () => {
  const kills = killEverywhere(
    () => {
      write("newest");
      folderWith(`${data}.before-op-0`, "now");
      folderWith(`${data}.before-op-1`, "newer");
      return ["back", "--back", "op-1", "--back", "op-0"];
    },
    (args) => {
      expect(textOf(data) + textOf(`${data}.before-op-0`)).toContain("now");
      again(args);
      expect(posts()).toContain("now");
      expect(beside()).toEqual(["intranet"]);
    },
  );
  expect(kills).toBeGreaterThan(6);
});

test("of two roots, one that is swapped already stays when the other is not", () => {
  const other = join(folder, "var", "dump");
  mkdirSync(other);
  writeFileSync(join(other, "posts.json"), "now");
  const both = ["--root", `database=${other}`];
  const { tree } = dump("source", ...both).contents;
  const kills = [0, 1, 2, 3, 4, 5].map((n) => {
    run("unpack", "--id", "source", "--tree", tree, "--before", `op-${n}`, ...both);
    const { code } = runKilledAt(n, "swap", "--before", `op-${n}`, ...both);
    expect(run("swap", "--before", `op-${n}`, ...both).code).toBe(0);
    expect(existsSync(`${data}.before-op-${n}`) && existsSync(`${other}.before-op-${n}`)).toBe(true);
    expect(textOf(data)).toContain("one");
    expect(textOf(other)).toBe("now");
    return code;
  });
  expect(kills).toContain(9);
});
