import { z } from "zod";
import type { Db } from "#db/client.ts";
import { createBackupStore } from "#server/backups/store.ts";
import type { Clock } from "#server/clock.ts";
import type { Env } from "#server/env.ts";
import { createMailer } from "#server/mail/mailer.ts";
import { abandonedMail } from "#server/mail/outbox.ts";
import type { DigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";
import { ProviderError } from "#server/providers/errors.ts";
import type { Mailer } from "#server/providers/mail/mail.ts";
import { createAnsibleRunner } from "#server/providers/playbooks/ansibleRunner.ts";

export type Check = { name: string; ok: boolean; userMessage: string; detail: string };

type Asking = Pick<Clock, "now"> & { env: Env; db: Db; digitalocean: DigitalOcean };
const weekMs = 7 * 86_400_000;

/** Asks every connection now whether it works. */
export async function checkConnections({ env, db, digitalocean, now }: Asking) {
  const runner = createAnsibleRunner({
    runsDir: env.runsDir,
    ansibleDir: env.ansible.dir,
    ...(env.ansible.binDir === undefined ? {} : { binDir: env.ansible.binDir }),
  });
  const store = createBackupStore(env);
  const [cloud, playbooks, mail, backups] = await Promise.all([
    check("DigitalOcean", env.digitalocean.apiUrl, async () => {
      const { email, dropletLimit, status } = await digitalocean.account();
      const limit = `${email}, up to ${dropletLimit} droplets`;
      const userMessage = env.isLocal ? `${limit}, on the local cloud. ${await isolation(env)}` : `${limit}.`;
      return { ok: status === "active", userMessage };
    }),
    check("Playbook runner", "ansible-runner", () => runner.check()),
    check("Mail", env.mail.from, () => checkMail(createMailer(env), db, now())),
    check("Backups", store.place, () => store.check()),
  ]);
  return { digitalocean: cloud, playbooks, mail, backups };
}

const isolationAnswer = z.object({ userMessage: z.string() });

/** What keeps the local cloud's droplets away from the Spawner, in a sentence. */
async function isolation({ digitalocean: { apiUrl, token } }: Env): Promise<string> {
  const answer = await fetch(`${apiUrl}/_isolation`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(5000),
  });
  return isolationAnswer.parse(await answer.json()).userMessage;
}

/** Whether mail can be sent now, and whether some of the last week's was not. */
export async function checkMail(
  mailer: Mailer,
  db: Db,
  now: number,
): Promise<{ ok: boolean; userMessage: string }> {
  const checked = await mailer.check();
  const abandoned = abandonedMail(db, now - weekMs);
  if (abandoned === undefined) return checked;
  const { count, failure } = abandoned;
  const emails = count === 1 ? "1 email wasn't" : `${count} emails weren't`;
  return {
    ok: false,
    userMessage: `${checked.userMessage} ${emails} sent in the last 7 days. Latest error: ${failure}`,
  };
}

async function check(
  name: string,
  detail: string,
  ask: () => Promise<{ ok: boolean; userMessage: string }>,
): Promise<Check> {
  try {
    return { name, detail, ...(await ask()) };
  } catch (error) {
    const userMessage = error instanceof ProviderError ? error.userMessage : "It doesn't answer.";
    return { name, detail, ok: false, userMessage };
  }
}
