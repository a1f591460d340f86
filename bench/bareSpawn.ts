import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { testAuthorization } from "#local-cloud/testing/testToken.ts";
import { createProbe } from "#server/providers/probe.ts";
import { scanHostKey } from "#server/providers/ssh.ts";
import type { Stack } from "./stack.ts";

const key = z.object({ ssh_keys: z.array(z.object({ id: z.number(), name: z.string() })) });
const created = z.object({ droplet: z.object({ id: z.number() }) });
const dropletShape = z.object({
  droplet: z.object({
    status: z.string(),
    networks: z.object({ v4: z.array(z.object({ ip_address: z.string(), type: z.string() })) }),
  }),
});

/**
 * A spawn as a script would do it by hand, with nothing between its parts: the same droplet, the same playbook run
 * bare, the same record, the first answer. Times in ms. Counts on the SSH key that the application has registered.
 */
export async function bareSpawn(stack: Stack, slug: string) {
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${stack.cloud}/v2/${path}`, {
      method,
      headers: { ...testAuthorization, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response.json();
  };
  const { ssh_keys: keys } = key.parse(await call("GET", "account/keys"));
  const began = performance.now();
  const { droplet } = created.parse(
    await call("POST", "droplets", {
      ...{ name: `${slug}.intranet.localhost`, region: "fra1", size: "s-1vcpu-2gb", image: "debian-13-x64" },
      ssh_keys: keys.map((one) => one.id),
    }),
  );
  let address: string | undefined;
  let hostKey: string | undefined;
  while (address === undefined) {
    // A script that polls every second, as DigitalOcean's own documentation does.
    await wait(1000);
    const { droplet: found } = dropletShape.parse(await call("GET", `droplets/${droplet.id}`));
    if (found.status === "active")
      address = found.networks.v4.find((network) => network.type === "public")?.ip_address;
  }
  while (hostKey === undefined) hostKey = await scanHostKey({ address, port: stack.ports.ssh });
  const booted = performance.now();
  await call("POST", "domains/intranet.localhost/records", { type: "A", name: slug, data: address, ttl: 60 });

  const folder = mkdtempSync(join(tmpdir(), "spawner-bare-"));
  const files = {
    vars: join(folder, "vars.yml"),
    inventory: join(folder, "hosts"),
    known: join(folder, "known_hosts"),
  };
  writeFileSync(
    files.vars,
    JSON.stringify({
      ...{ company: `Bare ${slug}`, slug, url: `http://${slug}.intranet.localhost:${stack.ports.edge}` },
      ...{
        version: "2.14.0",
        runtime: "local",
        releases_url: `${stack.cloud}/releases`,
        web_port: stack.ports.app,
      },
      ...{ contact_email: "petra@acme.example", environment_variables: { ADMIN_KEY: "bench" } },
    }),
  );
  writeFileSync(files.known, `[${address}]:${stack.ports.ssh} ${hostKey}\n`);
  const sshArgs = `-o UserKnownHostsFile=${files.known} -o IdentityFile=${join(stack.dataDir, "ssh-key")}`;
  writeFileSync(
    files.inventory,
    `droplet ansible_host=${address} ansible_port=${stack.ports.ssh} ansible_user=root ansible_ssh_common_args='${sshArgs}'\n`,
  );
  const playbookBegan = performance.now();
  await playbook(["-i", files.inventory, "-e", `@${files.vars}`, "provision.yml"]);
  const provisioned = performance.now();
  const probe = createProbe();
  while (!(await probe.answer(`http://${slug}.intranet.localhost:${stack.ports.edge}`)).ok) await wait(20);
  const answered = performance.now();
  rmSync(folder, { recursive: true, force: true });
  return { boot: booted - began, playbook: provisioned - playbookBegan, answer: answered - provisioned };
}

/** Until ansible-playbook itself has ended: the SSH connection it keeps open outlives it. */
function playbook(args: string[]): Promise<void> {
  const cwd = join(import.meta.dirname, "..", "ansible");
  const env = { ...process.env, ANSIBLE_CONFIG: join(cwd, "ansible.cfg") };
  const child = spawn("ansible-playbook", args, { cwd, env, stdio: "ignore" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`ansible-playbook ended with ${code}.`)),
    );
  });
}
