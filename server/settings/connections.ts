import { createBackupStore } from "../backups/store.ts";
import type { Env } from "../env.ts";
import { createMailer } from "../mailer.ts";
import type { DigitalOcean } from "../providers/digitalocean/digitalocean.ts";
import { ProviderError } from "../providers/errors.ts";
import { createAnsibleRunner } from "../providers/playbooks/ansibleRunner.ts";

export type Check = { name: string; ok: boolean; sentence: string; detail: string };

/** Asks every connection now whether it works. */
export async function checkConnections(env: Env, digitalocean: DigitalOcean) {
  const runner = createAnsibleRunner({
    runsDir: env.runsDir,
    ansibleDir: env.ansible.dir,
    ...(env.ansible.binDir === undefined ? {} : { binDir: env.ansible.binDir }),
  });
  const store = createBackupStore(env);
  const [cloud, playbooks, mail, backups] = await Promise.all([
    check("DigitalOcean", env.digitalocean.apiUrl, async () => {
      const account = await digitalocean.account();
      return {
        ok: account.status === "active",
        sentence: `${account.email}, up to ${account.dropletLimit} droplets${env.isLocal ? ", on the local cloud" : ""}.`,
      };
    }),
    check("Playbook runner", "ansible-runner", () => runner.check()),
    check("Mail", env.mail.from, () => createMailer(env).check()),
    check("Backups", store.place, () => store.check()),
  ]);
  return { digitalocean: cloud, playbooks, mail, backups };
}

async function check(
  name: string,
  detail: string,
  ask: () => Promise<{ ok: boolean; sentence: string }>,
): Promise<Check> {
  try {
    return { name, detail, ...(await ask()) };
  } catch (error) {
    const sentence = error instanceof ProviderError ? error.sentence : "It does not answer.";
    return { name, detail, ok: false, sentence };
  }
}
