import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./env.ts";
import { freshFolder } from "./testing/testProcesses.ts";

/** bootstrap.mjs as it is, in a checkout whose start.ts only says that it was reached, and by which Node. */
function checkout({ isInstalled }: { isInstalled: boolean }): string {
  const folder = freshFolder();
  mkdirSync(join(folder, "start"));
  copyFileSync(join(root, "start/bootstrap.mjs"), join(folder, "start/bootstrap.mjs"));
  writeFileSync(join(folder, "start/start.ts"), 'console.log("started by", process.argv0);');
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ packages: {} }));
  if (isInstalled) {
    mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
    symlinkSync(process.execPath, join(folder, "node_modules/.bin/node"));
    writeFileSync(join(folder, "node_modules/.package-lock.json"), JSON.stringify({ packages: {} }));
  }
  return folder;
}

/** What `npm start` says there; `machine` is JavaScript that makes the process believe it runs elsewhere. */
function start(
  folder: string,
  { machine = "", env = {} }: { machine?: string; env?: Record<string, string> } = {},
) {
  const preload = `data:text/javascript,${encodeURIComponent(machine)}`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", preload, join(folder, "start/bootstrap.mjs"), "start"],
    { encoding: "utf8", env: { PATH: process.env.PATH, TMPDIR: folder, NODE_ENV: "test", ...env } },
  );
  return { status, stdout, stderr };
}
const platform = (name: string) => `Object.defineProperty(process, "platform", { value: "${name}" });`;

test("the packages that are missing are installed, and it says so; what is started runs on the Node that came with them", () => {
  const folder = checkout({ isInstalled: false });
  const npm = join(folder, "npm-cli.js");
  writeFileSync(
    npm,
    `const { mkdirSync, symlinkSync } = require("node:fs");
    if (process.argv[2] !== "ci") process.exit(1);
    mkdirSync("node_modules/.bin", { recursive: true });
    symlinkSync(process.execPath, "node_modules/.bin/node");`,
  );
  const first = start(folder, { env: { npm_execpath: npm } });
  expect(first).toMatchObject({ status: 0, stderr: "" });
  expect(first.stdout).toMatch(/^Installing the packages .*\nstarted by/);
  expect(first.stdout).toContain(join(folder, "node_modules/.bin/node"));
  // The second time there is nothing to install.
  expect(start(folder, { env: { npm_execpath: npm } }).stdout).toMatch(/^started by/);
});

test("packages that cannot be installed are a sentence", () => {
  const folder = checkout({ isInstalled: false });
  writeFileSync(join(folder, "npm-cli.js"), "process.exit(7);");
  const { status, stderr } = start(folder, { env: { npm_execpath: join(folder, "npm-cli.js") } });
  expect(status).toBe(1);
  expect(stderr).toContain("npm ci exited with 7");
});

test("on macOS it starts with a DigitalOcean token only, and says so", () => {
  const folder = checkout({ isInstalled: true });
  const machine = platform("darwin");
  const without = start(folder, { machine });
  expect(without).toMatchObject({ status: 1, stdout: "" });
  expect(without.stderr).toMatch(/local cloud needs Linux.*DIGITALOCEAN_TOKEN/s);
  const withToken = start(folder, { machine, env: { DIGITALOCEAN_TOKEN: "dop_v1_test" } });
  expect(withToken).toMatchObject({ status: 0, stderr: "" });
  expect(withToken.stdout).toContain("started by");
});

test.each([
  ["Windows", platform("win32"), "WSL 2"],
  ["another system", platform("freebsd"), "not on freebsd"],
  ["32 bits", 'Object.defineProperty(process, "arch", { value: "ia32" });', "64-bit"],
  [
    "an old Node",
    'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.4" } });',
    "needs Node 20 or newer",
  ],
  [
    "Linux without the GNU C library",
    `${platform("linux")} process.report.getReport = () => ({ header: {} });`,
    "GNU C library",
  ],
])("on %s it says what it needs, and installs nothing", (_name, machine, userMessage) => {
  const folder = checkout({ isInstalled: false });
  const { status, stderr } = start(folder, { machine });
  expect(status).toBe(1);
  expect(stderr).toContain(userMessage);
  expect(existsSync(join(folder, "node_modules"))).toBe(false);
});
