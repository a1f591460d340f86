import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { createApiClient } from "dots-wrapper";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestCloud, type TestCloud } from "#local-cloud/testing/testCloud.ts";
import { testToken } from "#local-cloud/testing/testToken.ts";

const python = "/usr/bin/python3";

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await startTestCloud("127.107", { ratePerMinute: 250, ratePerHour: 5000 });
});
afterAll(() => cloud.stop());

test("a whole life through dots-wrapper, unchanged", async () => {
  const client = createApiClient({ token: testToken, endpoint: `${cloud.apiUrl}/v2` });
  const ended = (id: number) =>
    vi.waitUntil(
      async () => {
        const { action } = (await client.action.getAction({ action_id: id })).data;
        return action.status === "in-progress" ? undefined : action.status;
      },
      { timeout: 20_000, interval: 200 },
    );
  const { account } = (await client.account.getAccount()).data;
  expect(account.status).toBe("active");
  const { ssh_key } = (await client.sshKey.createSshKey({ name: "dots", public_key: cloud.publicKey })).data;
  const created = (
    await client.droplet.createDroplet({
      name: "dots-life",
      region: "fra1",
      size: "s-1vcpu-1gb",
      image: "debian-13-x64",
      ssh_keys: [ssh_key.id],
      tags: ["dots"],
    })
  ).data.droplet;
  expect(created.status).toBe("new");
  const { id: droplet_id } = created;
  const address = await vi.waitUntil(
    async () => {
      const { droplet } = (await client.droplet.getDroplet({ droplet_id })).data;
      const found = droplet.networks.v4.find((network) => network.type === "public");
      return droplet.status === "active" && found ? found.ip_address : undefined;
    },
    { timeout: 20_000, interval: 200 },
  );
  const { actions } = (await client.droplet.listDropletActions({ droplet_id, page: 1, per_page: 25 })).data;
  expect(await ended(actions[0]?.id ?? 0)).toBe("completed");
  const off = (await client.droplet.powerOffDroplet({ droplet_id })).data.action;
  expect(await ended(off.id)).toBe("completed");
  const shot = (await client.droplet.snapshotDroplet({ droplet_id, name: "dots-snapshot" })).data.action;
  expect(await ended(shot.id)).toBe("completed");
  const { snapshots } = (await client.snapshot.listSnapshots({ resource_type: "droplet" })).data;
  expect(snapshots.map((snapshot) => snapshot.name)).toEqual(["dots-snapshot"]);

  await client.domain.createDomain({ name: "dots.localhost", ip_address: address });
  const { domain_record } = (
    await client.domain.createDomainRecord({
      domain_name: "dots.localhost",
      type: "A",
      name: "www",
      data: address,
    })
  ).data;
  const { domain_records } = (await client.domain.listDomainRecords({ domain_name: "dots.localhost" })).data;
  expect(domain_records.map((record) => record.id)).toContain(domain_record.id);
  await client.domain.deleteDomainRecord({
    domain_name: "dots.localhost",
    domain_record_id: domain_record.id,
  });
  await client.domain.deleteDomain({ name: "dots.localhost" });

  await client.droplet.deleteDroplet({ droplet_id });
  await expect(client.droplet.getDroplet({ droplet_id })).rejects.toMatchObject({
    response: { status: 404 },
  });
  await client.snapshot.deleteSnapshot({ snapshot_id: snapshots[0]?.id ?? "" });
  await client.sshKey.destroySshKey({ ssh_key_id: ssh_key.id });
});

test("a whole life through python-digitalocean, unchanged", async (context) => {
  const missing = preparePython();
  if (missing !== undefined) return context.skip(missing);
  const script = path.join(import.meta.dirname, "clients.test.py");
  const { stdout } = await promisify(execFile)(python, [script, cloud.publicKey], {
    timeout: 60_000,
    env: {
      ...process.env,
      DIGITALOCEAN_END_POINT: `${cloud.apiUrl}/v2/`,
      DIGITALOCEAN_ACCESS_TOKEN: testToken,
    },
  });
  expect(stdout).toBe("a whole life\n");
}, 240_000);

/** Sees to the Debian package; answers why it cannot be had. */
function preparePython(): string | undefined {
  const there = (): boolean => {
    try {
      execFileSync(python, ["-c", "import digitalocean"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  };
  if (!existsSync(python)) return `There is no ${python}.`;
  if (there()) return undefined;
  if (process.getuid?.() !== 0)
    return "python3-digitalocean is not installed: apt-get install python3-digitalocean";
  try {
    execFileSync("apt-get", ["install", "-y", "-q", "python3-digitalocean"], {
      stdio: "ignore",
      timeout: 150_000,
    });
  } catch {
    return "python3-digitalocean could not be installed with apt-get.";
  }
  return there() ? undefined : "python3-digitalocean is installed, but it cannot be imported.";
}
