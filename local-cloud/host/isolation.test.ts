import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  act,
  addressOf,
  bootedDroplet,
  createClient,
  execute,
  startTestCloud,
  type TestCloud,
} from "#local-cloud/testing/testCloud.ts";
import { testAuthorization } from "#local-cloud/testing/testToken.ts";
import { inBubblewrap, isolationOf } from "./isolation.ts";

const isRoot = process.getuid?.() === 0;

describe.runIf(isRoot)("a droplet with a user of its own", () => {
  let cloud: TestCloud;
  const ask = createClient(() => cloud);
  let one: Awaited<ReturnType<typeof bootedDroplet>>;
  let other: Awaited<ReturnType<typeof bootedDroplet>>;
  const run = (command: string) => execute(cloud, one.address, command);
  const stateOf = (id: number) => path.join(cloud.folder, "cloud", "droplets", String(id));

  beforeAll(async () => {
    cloud = await startTestCloud("127.110");
    writeFileSync(path.join(cloud.folder, "secret.key"), "the Spawner's key");
    one = await bootedDroplet(cloud, ask, "one");
    other = await bootedDroplet(cloud, ask, "other");
    await execute(cloud, other.address, "echo confidential >~/notes");
  });
  afterAll(() => cloud.stop());

  test("is said to whoever asks with the token", async () => {
    const answer = await fetch(`${cloud.apiUrl}/_isolation`, { headers: testAuthorization });
    expect(await answer.json()).toEqual({
      kind: "own-user",
      userMessage: "Each droplet runs as a user of its own.",
    });
  });

  test("is neither root nor the other droplet's user", async () => {
    const ids = [await run("id -u"), await execute(cloud, other.address, "id -u")].map(({ out }) =>
      out.trim(),
    );
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(Number(id)).toBeGreaterThan(1000);
    expect((await run("id -G")).out).toBe((await run("id -g")).out);
  });

  test.each(["secret.key", "cloud/state.json"])("can't read the Spawner's %s", async (file) => {
    const { code, out } = await run(`cat ${path.join(cloud.folder, file)}`);
    expect(code).not.toBe(0);
    expect(out).toBe("");
  });

  test("can't read what its host keeps of it, nor write there", async () => {
    for (const file of ["host_key", "machine.json", "console.log"]) {
      expect((await run(`cat "$DROPLET_ROOT/../${file}"`)).out).toBe("");
      expect(readFileSync(path.join(stateOf(one.id), file))).toBeDefined();
    }
    expect((await run('touch "$DROPLET_ROOT/../planted"')).code).not.toBe(0);
  });

  test("can't read another droplet's disk", async () => {
    expect(readFileSync(path.join(stateOf(other.id), "disk/root/notes"), "utf8")).toBe("confidential\n");
    const { code, out } = await run(`cat "$DROPLET_ROOT/../../${other.id}/disk/root/notes"`);
    expect(code).not.toBe(0);
    expect(out).toBe("");
  });

  test("can't end, or look into, the Spawner's processes", async () => {
    expect((await run(`kill -9 ${process.pid}`)).code).not.toBe(0);
    expect((await run(`cat /proc/${process.pid}/environ`)).out).toBe("");
  });

  test("a program that leaves its session and its environment ends with the droplet", async () => {
    await run("setsid env -i sleep 1000 </dev/null >/dev/null 2>&1 &");
    const uid = statSync(path.join(stateOf(one.id), "disk")).uid;
    const left = () =>
      spawnSync("pgrep", ["-u", String(uid), "-r", "R,S,D", "sleep"], { encoding: "utf8" }).stdout.trim();
    await expect.poll(left).not.toBe("");
    expect(await act(ask, one.id, { type: "power_off" })).toBe("completed");
    expect(left()).toBe("");
  });

  test("a snapshot holds what its own user can read, whatever its links point to", async () => {
    await execute(
      cloud,
      other.address,
      `ln -s ${path.join(cloud.folder, "secret.key")} ~/link; ln -s ${cloud.folder} ~/folder`,
    );
    expect(await act(ask, other.id, { type: "snapshot", name: "linked" })).toBe("completed");
    const images = path.join(cloud.folder, "cloud", "snapshots");
    const found = spawnSync("grep", ["-rl", "the Spawner's key", images], { encoding: "utf8" }).stdout;
    expect(found).toBe("");
    const { stdout } = spawnSync("grep", ["-rl", "confidential", images], { encoding: "utf8" });
    expect(stdout).toContain("/root/notes");
  });

  test("another droplet made from it has a user of its own again", async () => {
    const { body } = await ask("GET", "/snapshots");
    const imageId = Number(JSON.stringify(body).match(/"id":"(\d+)"/)?.[1]);
    const twin = await bootedDroplet(cloud, ask, "twin", { image: imageId });
    expect(addressOf(twin)).not.toBe(other.address);
    const { out } = await execute(cloud, twin.address, "cat ~/notes; id -u");
    const [notes, uid] = out.split("\n");
    expect(notes).toBe("confidential");
    expect(Number(uid)).toBe(statSync(path.join(stateOf(twin.id), "disk")).uid);
    expect(uid).not.toBe((await execute(cloud, other.address, "id -u")).out.trim());
  });
});

describe.runIf(isRoot)("droplets from before they had users of their own", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "local-cloud-"));
  const disk = path.join(folder, "droplets", "3000001", "disk");
  afterAll(() => {
    rmSync(realpathSync(path.join(folder, "droplets")), { recursive: true, force: true });
    rmSync(folder, { recursive: true });
  });

  test("move to where their users can reach them, and belong to these", async () => {
    mkdirSync(path.join(disk, "run"), { recursive: true });
    writeFileSync(path.join(disk, "posts.json"), "[]", { mode: 0o600 });
    writeFileSync(path.join(disk, "..", "host_key"), "secret", { mode: 0o600 });
    // As a droplet leaves it that was killed.
    const left = createServer().listen(path.join(disk, "run", "init.sock"));
    await once(left, "listening");
    for (const _ of ["first", "again"]) {
      const { droplets, account, prepare } = isolationOf(folder);
      await prepare();
      expect(realpathSync(path.join(folder, "droplets"))).toBe(droplets);
      const { uid } = statSync(path.join(disk, "posts.json"));
      expect(uid).toBe(account(3_000_001)?.uid);
      expect(statSync(disk).mode & 0o777).toBe(0o700);
      expect(statSync(path.join(disk, "..", "host_key"))).toMatchObject({ uid: 0 });
      expect(existsSync(path.join(disk, "run", "init.sock"))).toBe(false);
    }
    left.close();
  });
});

describe("in bubblewrap", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "bubblewrap-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const nobody = { uid: 65534, gid: 65534 };
  /** As somebody who isn't root: root needs no bubblewrap. */
  const account = isRoot ? nobody : {};
  const home = path.join(folder, "droplets", "1");
  const run = (script: string) => {
    const [program = "", ...args] = inBubblewrap(["/bin/sh", "-c", script], { folder, home });
    return spawnSync(program, args, { ...account, encoding: "utf8", cwd: "/" });
  };

  beforeAll(() => {
    mkdirSync(home, { recursive: true });
    writeFileSync(path.join(folder, "secret"), "the Spawner's key", { mode: 0o600 });
    writeFileSync(path.join(home, "own"), "its own");
    if (isRoot)
      for (const one of [
        folder,
        path.join(folder, "secret"),
        path.dirname(home),
        home,
        path.join(home, "own"),
      ])
        chownSync(one, nobody.uid, nobody.gid);
  });

  test("a droplet sees its own folder, and neither the Spawner's data nor its processes", (context) => {
    const probe = run("true");
    if (probe.status !== 0)
      return context.skip(`bubblewrap doesn't work here: ${probe.error?.message ?? probe.stderr}`);
    const { stdout } = run(
      `cat ${home}/own; cat ${folder}/secret; kill -0 ${process.pid} && echo reached; echo more >${home}/own`,
    );
    expect(stdout).toBe("its own");
    expect(readFileSync(path.join(home, "own"), "utf8")).toBe("more\n");
  });
});
