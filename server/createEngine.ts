import type { Db } from "#db/client.ts";
import { createBackupStore } from "./backups/store.ts";
import type { Clock } from "./clock.ts";
import type { Env } from "./env.ts";
import { instanceUrl } from "./instances/url.ts";
import { openVariables } from "./instances/variables.ts";
import { createMailer } from "./mail/mailer.ts";
import type { Mailbox } from "./mail/sender.ts";
import { templates } from "./mail/templates/templates.ts";
import type { Engine } from "./operations/engine/engine.ts";
import { createWorker } from "./operations/engine/lease.ts";
import { registry } from "./operations/registry.ts";
import { transfer } from "./providers/backups/transfer.ts";
import { verifyArchive } from "./providers/backups/verify.ts";
import { budgetShares } from "./providers/digitalocean/budget.ts";
import { createDigitalOcean } from "./providers/digitalocean/digitalocean.ts";
import { createAnsibleRunner } from "./providers/playbooks/ansibleRunner.ts";
import { createProbe } from "./providers/probe.ts";
import { scanHostKey } from "./providers/ssh.ts";
import { createRequestLedger } from "./requestLedger.ts";
import { deriveKey } from "./secrets.ts";
import { ensureSshKeyPair } from "./sshKey.ts";

/** Each keeps a line and a slot of the queue's busy for as long as hours; the others wait, and say so. */
const transfersAtOnce = 4;

/** Puts the engine together from the configuration: production's parts, whatever cloud they point at. */
export function createEngine(
  env: Env,
  db: Db,
  clock: Clock,
  wake: Engine["wake"],
): Engine & { mailbox: Mailbox } {
  const key = ensureSshKeyPair(env.dataDir);
  const variablesKey = deriveKey(env.secretKey, "variables");
  const urlOf: Engine["urlOf"] = (instance) => instanceUrl(env, instance);
  const mailbox = {
    ...clock,
    db,
    mailer: createMailer(env),
    templates,
    urlOf,
    dashboardUrl: env.dashboardUrl,
  };
  return {
    ...clock,
    db,
    registry: registry,
    mailbox,
    providers: {
      digitalocean: createDigitalOcean({
        ...env.digitalocean,
        ...clock,
        ledger: createRequestLedger(db, clock),
        budgetShare: budgetShares.worker,
      }),
      playbooks: createAnsibleRunner({
        runsDir: env.runsDir,
        ansibleDir: env.ansible.dir,
        ...(env.ansible.binDir === undefined ? {} : { binDir: env.ansible.binDir }),
      }),
      backups: createBackupStore(env),
      transfer,
      verifyArchive,
      probe: createProbe(),
      scanHostKey,
    },
    site: {
      runtime: env.isLocal ? "local" : "server",
      scheme: env.isLocal ? "http" : "https",
      port: env.isLocal ? env.edgePort : undefined,
      sshPort: env.sshPort,
      webPort: env.webPort,
      image: env.image,
      releasesUrl: env.releasesUrl,
      privateKeyFile: key.privateKeyFile,
      publicKey: key.publicKey,
      keyName: key.name,
    },
    random: Math.random,
    worker: createWorker(),
    slots: { playbooks: env.playbooksAtOnce, transfers: transfersAtOnce },
    keepDestroyedMs: env.keepDestroyedDays * 86_400_000,
    keepLogsMs: env.keepLogsDays * 86_400_000,
    openVariables: (instance, set) => openVariables(db, variablesKey, instance.id, set),
    urlOf,
    wake,
  };
}
