import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  act,
  addressOf,
  bootedDroplet,
  createClient,
  dropletOf,
  execute,
  executeWhenUp,
  image,
  installIntranet,
  keyIdOf,
  ready,
  startTestCloud,
  type TestCloud,
  webPort,
} from "#local-cloud/testing/testCloud.ts";

let cloud: TestCloud;
const ask = createClient(() => cloud);
beforeAll(async () => {
  cloud = await startTestCloud("127.102");
});
afterAll(() => cloud.stop());

/** What is answered, as soon as something listens there: a service that has been started is up a moment later. */
const up = (address: string, requested = "/healthz", init: RequestInit = {}): Promise<Response> =>
  vi.waitUntil(() => fetch(`http://${address}:${webPort}${requested}`, init).catch(() => undefined), {
    timeout: 20_000,
    interval: 100,
  });
const post = (address: string, text: string) =>
  up(address, "/posts", { method: "POST", body: new URLSearchParams({ text }), redirect: "manual" });
const page = async (address: string): Promise<string> => (await up(address, "/")).text();

describe("SSH", () => {
  let address = "";
  let id = 0;
  beforeAll(async () => {
    ({ address, id } = await bootedDroplet(cloud, ask, "ssh"));
  });
  const run = (command: string, more: Parameters<typeof execute>[3] = {}) =>
    execute(cloud, address, command, more);

  test("runs a command with stdin, both outputs and its exit code", async () => {
    const result = await run("cat; echo to-err >&2; exit 7", { stdin: "from stdin" });
    expect(result).toEqual({ code: 7, signal: undefined, out: "from stdin", err: "to-err\n" });
  });

  test("carries megabytes unharmed", async () => {
    const stdin = Buffer.alloc(5_000_000, "0123456789abcdef");
    expect((await run("wc -c", { stdin })).out.trim()).toBe("5000000");
  });

  test("says by which signal a command ended", async () => {
    expect((await run("kill -TERM $$")).signal).toMatch(/TERM/);
  });

  test("grants a pty where one is asked for", async () => {
    expect((await run("echo here", { pty: true })).out).toBe("here\n");
  });

  test("has the droplet's own home, folders and commands", async () => {
    const { out } = await run(
      'echo ~root; echo "$HOME"; echo "$DROPLET_ADDRESS $DROPLET_WEB_PORT $RELEASES_URL"; command -v service',
    );
    const [tilde, home, variables, service] = out.split("\n");
    expect(tilde).toBe(home);
    expect(variables).toBe(`${address} ${webPort} ${cloud.apiUrl}/releases`);
    expect(service).toBe(path.join(path.dirname(home ?? ""), "bin", "service"));
  });

  test("lets in exactly the keys of the create call, as root", async () => {
    const file = path.join(cloud.folder, "stranger");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    await expect(run("true", { privateKey: readFileSync(file) })).rejects.toThrow(/authentication/);
    await expect(run("true", { username: "joe" })).rejects.toThrow(/authentication/);
  });

  test("ends what a command started when the client hangs up, and when the droplet loses power", async () => {
    const start = (file: string) =>
      execute(cloud, address, `echo $$ > "$HOME/${file}"; sleep 600`, { hangUp: file === "left" });
    const pidIn = (file: string) =>
      vi.waitUntil(async () => (await run(`cat "$HOME/${file}" 2>/dev/null`)).out.trim());
    const gone = (pid: string) => vi.waitUntil(() => !isAlive(pid), { timeout: 10_000 });

    await start("left").catch(() => undefined);
    await gone(await pidIn("left"));
    const cut = start("cut").catch(() => undefined);
    const pid = await pidIn("cut");
    expect(isAlive(pid)).toBe(true);
    expect(await act(ask, id, { type: "power_cycle" })).toBe("completed");
    await gone(pid);
    await cut;
  });
});

/** Alive, and not a zombie nobody collects. */
function isAlive(pid: string): boolean {
  try {
    return !execFileSync("ps", ["-o", "stat=", "-p", pid], { encoding: "utf8" }).startsWith("Z");
  } catch {
    return false;
  }
}

describe("services", () => {
  test("are kept alive, stop when told, and survive the cloud's restart with their data", async () => {
    const { address, id } = await bootedDroplet(cloud, ask, "services");
    const service = (words: string) => execute(cloud, address, `service ${words}`);
    expect((await service("start nothing")).err).toContain("There is no service nothing");
    expect((await service("dance")).code).toBe(2);
    await installIntranet(cloud, address);
    expect(await (await up(address)).json()).toEqual({ status: "ok", version: "2.14.0" });
    expect((await service("status intranet")).code).toBe(0);
    expect((await post(address, "Hello <all>")).status).toBe(303);

    const variables = (key: string) =>
      fetch(`http://${address}:${webPort}/variables`, { headers: { "x-admin-key": key } });
    expect((await variables("wrong")).status).toBe(403);
    expect(await (await variables("sesame")).json()).toMatchObject({
      COMPANY: "Acme",
      ADMIN_KEY: "sesame",
      GREETING: "two\nlines {{ 1 + 1 }}",
    });

    // Killed, it comes back by itself.
    await execute(cloud, address, 'kill -9 "$(cat "$DROPLET_ROOT/run/intranet.pid")"');
    expect(await page(address)).toContain("Hello &lt;all&gt;");

    await cloud.restart();
    expect(await page(address)).toContain("Hello &lt;all&gt;");
    expect(dropletOf(await ask("GET", `/droplets/${id}`)).status).toBe("active");

    expect((await executeWhenUp(cloud, address, "service stop intranet")).code).toBe(0);
    expect((await service("intranet status")).code).toBe(3);
    expect(await act(ask, id, { type: "reboot" })).toBe("completed");
    expect((await executeWhenUp(cloud, address, "service status intranet")).code).toBe(3);
    expect((await service("restart intranet")).code).toBe(0);

    expect(await act(ask, id, { type: "power_off" })).toBe("completed");
    await expect(fetch(`http://${address}:${webPort}/`)).rejects.toThrow();
    await cloud.restart();
    await expect(fetch(`http://${address}:${webPort}/`)).rejects.toThrow();
    expect(await act(ask, id, { type: "power_on" })).toBe("completed");
    expect(await page(address)).toContain("Hello &lt;all&gt;");
  });
});

describe("snapshots", () => {
  test("bring system, services and data onto another droplet, taken while it runs", async () => {
    const { address, id } = await bootedDroplet(cloud, ask, "origin");
    await installIntranet(cloud, address, "Origin");
    await up(address);
    await post(address, "Before the snapshot");
    expect(await act(ask, id, { type: "snapshot", name: "kept" })).toBe("completed");
    await post(address, "After the snapshot");
    const [snapshot] = dropletOf(await ask("GET", `/droplets/${id}`)).snapshot_ids;
    await ask("DELETE", `/droplets/${id}`);
    await vi.waitUntil(() =>
      fetch(`http://${address}:${webPort}/`).then(
        () => false,
        () => true,
      ),
    );

    const stranger = path.join(cloud.folder, "second");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", stranger]);
    const publicKey = readFileSync(`${stranger}.pub`, "utf8");
    const key = keyIdOf(await ask("POST", "/account/keys", { name: "second", public_key: publicKey }));
    const created = await ask("POST", "/droplets", {
      name: "back",
      region: "fra1",
      size: "s-1vcpu-1gb",
      image: snapshot,
      ssh_keys: [key],
    });
    const back = addressOf(await ready(ask, dropletOf(created).id));
    const text = await page(back);
    expect(text).toContain("Before the snapshot");
    expect(text).not.toContain("After the snapshot");
    // The old key came with the disk, but this create call did not name it.
    await expect(execute(cloud, back, "true")).rejects.toThrow(/authentication/);
    const result = await execute(cloud, back, "service restart intranet", {
      privateKey: readFileSync(stranger),
    });
    expect(result.code).toBe(0);
    expect((await post(back, "On the new droplet")).status).toBe(303);
    expect(await page(back)).toContain("On the new droplet");
    expect(await act(ask, dropletOf(created).id, { type: "restore", image: snapshot })).toBe("completed");
    expect(await page(back)).not.toContain("On the new droplet");
    expect(await act(ask, dropletOf(created).id, { type: "rebuild", image })).toBe("completed");
    await expect(fetch(`http://${back}:${webPort}/`)).rejects.toThrow();
  });
});
