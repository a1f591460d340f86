import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { startLocalCloud } from "#local-cloud/cloud.ts";
import { testAuthorization, testToken } from "#local-cloud/testing/testToken.ts";
import { type AddressBlock, claimAddressBlock } from "./addressBlock.ts";

const sshPort = 4924;
const claimed: AddressBlock[] = [];
const claim = async (wanted?: string, folder = "/somewhere") => {
  const block = await claimAddressBlock({ wanted, folder, sshPort });
  claimed.push(block);
  return block;
};
afterEach(() => {
  for (const { release } of claimed.splice(0)) release();
});

test("two clouds on one machine have different addresses, even with one folder's name", async () => {
  const one = await claim();
  const other = await claim();
  expect(one.base).not.toBe(other.base);
  expect(one.base).toMatch(/^127\.\d+$/);
});

test("a folder has the same addresses each time, as long as they are free", async () => {
  const first = await claim(undefined, "/clone");
  first.release();
  expect((await claim(undefined, "/clone")).base).toBe(first.base);
});

test("addresses that droplets have already are used by nobody else: the second one says so", async () => {
  await claim("127.150");
  await expect(claim("127.150")).rejects.toThrow(/begin with 127\.150, and another one is using these/);
});

test("a program on that port of every address is named with the way out", async () => {
  const program = createServer().listen(sshPort, "0.0.0.0");
  await new Promise((resolve) => program.once("listening", resolve));
  try {
    await expect(claim()).rejects.toThrow(/port 4924 .*LOCAL_SSH_PORT/);
  } finally {
    program.close();
  }
});

test("a cloud goes on with the addresses that its droplets have", async () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), "local-cloud-"));
  const options = { port: 0, edgePort: 0, sshPort, webPort: 8924, dataDir, bootMs: 60_000, token: testToken };
  const create = async (apiUrl: string) => {
    const answer = await fetch(`${apiUrl}/v2/droplets`, {
      method: "POST",
      headers: testAuthorization,
      body: JSON.stringify({ name: "web-1", size: "s-1vcpu-1gb", image: "debian-13-x64" }),
    });
    expect(answer.status).toBe(202);
  };
  try {
    const first = await startLocalCloud(options);
    await create(first.apiUrl);
    await first.close();
    const second = await startLocalCloud(options);
    await expect(startLocalCloud(options)).rejects.toThrow(/another one is using these/);
    await second.close();
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});
