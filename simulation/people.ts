import { desc, eq } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { backups, instances, operations } from "#db/schema.ts";
import { inBulk } from "#server/api/bulk.ts";
import { backUp } from "#server/backups/commands/backUp.ts";
import { restoreBackup } from "#server/backups/commands/restoreBackup.ts";
import { testRestore } from "#server/backups/commands/testRestore.ts";
import { CommandError } from "#server/commandError.ts";
import { resolveDrift } from "#server/drift/commands.ts";
import { driftViews } from "#server/drift/queries.ts";
import type { Env } from "#server/env.ts";
import { newId } from "#server/ids.ts";
import { bringBack } from "#server/instances/commands/bringBack.ts";
import { changeAddress } from "#server/instances/commands/changeAddress.ts";
import { destroyInstance } from "#server/instances/commands/destroyInstance.ts";
import { editVariables } from "#server/instances/commands/editVariables.ts";
import { purgeInstance } from "#server/instances/commands/purgeInstance.ts";
import { renameInstance } from "#server/instances/commands/renameInstance.ts";
import { resizeInstance } from "#server/instances/commands/resizeInstance.ts";
import { restoreAsNew } from "#server/instances/commands/restoreAsNew.ts";
import { setBackupPlan } from "#server/instances/commands/setBackupPlan.ts";
import { setPower } from "#server/instances/commands/setPower.ts";
import { spawnInstance } from "#server/instances/commands/spawnInstance.ts";
import { upgradeInstance } from "#server/instances/commands/upgradeInstance.ts";
import { cancelOperation, retryOperation } from "#server/operations/cancelAndRetry.ts";
import { createDigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";
import { ProviderError } from "#server/providers/errors.ts";
import { createRequestLedger } from "#server/requestLedger.ts";
import type { Web } from "#server/web.ts";
import type { Action } from "./plan.ts";
import { Process } from "./process.ts";
import { token, variablesKey, type World, wakerOf } from "./spawner.ts";
import { operator } from "./template.ts";

const who = operator;
export const domain = "intranet.example";
/** What a secret variable holds: it must turn up nowhere but where secrets belong. */
const secretOf = (slug: string) => `s3cret-of-${slug}`;

type Row = typeof instances.$inferSelect;

const queries = prepared((tx: Pick<Tx, "select">) => ({
  instances: tx.select().from(instances).prepare(),
  newest: tx
    .select()
    .from(operations)
    .where(eq(operations.instanceId, given("instanceId")))
    .orderBy(desc(operations.sequence))
    .prepare(),
  backups: tx
    .select()
    .from(backups)
    .where(eq(backups.instanceId, given("instanceId")))
    .prepare(),
}));

/** The web process with somebody before it: presses what a happening wants, by the commands behind the buttons. */
export function createPeople(world: World, env: Env) {
  const { machine, db, connection } = world;
  const process = new Process(machine, "web");
  const client = createDigitalOcean({
    token,
    apiUrl: "https://api",
    random: machine.random.next,
    ...process.clock,
    ledger: createRequestLedger(db, process.clock),
    fetch: world.cloud.fetchFor(process),
  });
  const regions = [{ slug: "fra1", name: "Frankfurt 1", available: true }];
  const sizes = ["s-1vcpu-2gb", "s-2vcpu-4gb"].map((slug, index) => ({
    ...{ slug, memoryMb: 2048, vcpus: 1, diskGb: 50, priceMonthlyCents: 1200 * (index + 1) },
    ...{ regions: ["fra1"], available: true },
  }));
  const web: Web = {
    ...process.clock,
    env,
    db,
    connection,
    digitalocean: { ...client, regions: async () => regions, sizes: async () => sizes },
    variablesKey,
    sessionsKey: "",
    wake: (operationId) => waker.wake(operationId),
    live: { follow: async function* () {}, close: () => {} },
  };
  const waker = wakerOf(world, process);
  let count = 0;

  const allInstances = () => queries(db).instances.all();
  const newest = (instanceId: string) => queries(db).newest.all({ instanceId });
  const backupOf = (instanceId: string, chance: number) => {
    const usable = queries(db)
      .backups.all({ instanceId })
      .filter((row) => row.state === "good");
    return usable[Math.floor(chance * usable.length)]?.id ?? "";
  };

  async function press(action: Action, row: Row | undefined, chance: number): Promise<unknown> {
    if (action === "spawn") {
      count += 1;
      const slug = `acme${count}`;
      return spawnInstance(
        web,
        {
          ...{ idempotencyKey: newId(), company: `Acme ${count}`, contactName: "Petra", slug, domain },
          ...{ contactEmail: "petra@acme.example", region: "fra1", size: "s-1vcpu-2gb", version: "2.14.0" },
          variables: [{ name: "PASSWORD", value: secretOf(slug), secret: true }],
        },
        who,
      );
    }
    if (row === undefined) throw new CommandError("not-now", "There is no instance.");
    const { id: instanceId, slug } = row;
    const other = <Item>(items: readonly Item[], current: Item) => items.find((one) => one !== current);
    switch (action) {
      case "destroy":
        return destroyInstance(web, { instanceId, confirm: slug }, who);
      case "bring-back":
        return bringBack(web, { instanceId }, who);
      case "back-up":
        return backUp(web, { instanceId }, who);
      case "restore":
        return restoreBackup(web, { backupId: backupOf(instanceId, chance) }, who);
      case "restore-as-new":
        count += 1;
        return restoreAsNew(
          web,
          {
            backupId: backupOf(instanceId, chance),
            idempotencyKey: newId(),
            company: `Copy ${count}`,
            slug: `copy${count}`,
          },
          who,
        );
      case "test-restore":
        return testRestore(web, { instanceId }, who);
      case "change-address": {
        const back = chance < 0.4 ? slug.replace(/-moved$/, "") : `${slug.replace(/-moved$/, "")}-moved`;
        return changeAddress(
          web,
          { instanceId, slug: back, domain, redirectDays: chance < 0.7 ? 0 : 1 },
          who,
        );
      }
      case "edit-variables":
        return editVariables(
          web,
          {
            instanceId,
            variables: [
              { name: "PASSWORD", value: `${secretOf(slug)}-${count}`, secret: true },
              { name: "WELCOME_TEXT", value: `Hej ${chance}`, secret: false },
            ],
          },
          who,
        );
      case "rename":
        return renameInstance(
          web,
          {
            ...{ instanceId, company: `${row.company.replace(/ \d+%$/, "")} ${Math.floor(chance * 100)}%` },
            ...{ contactName: "Ola", contactEmail: "ola@acme.example" },
          },
          who,
        );
      case "restart":
        return setPower(web, { instanceId, power: "restart" }, who);
      case "power-off":
        return setPower(web, { instanceId, power: "off" }, who);
      case "power-on":
        return setPower(web, { instanceId, power: "on" }, who);
      case "resize":
        return resizeInstance(
          web,
          { instanceId, size: other(["s-1vcpu-2gb", "s-2vcpu-4gb"], row.size) ?? "" },
          who,
        );
      case "upgrade":
        return upgradeInstance(web, { instanceId, version: other(env.releases, row.version) ?? "" }, who);
      case "purge":
        return purgeInstance(web, { instanceId, confirm: slug }, who);
      case "cancel":
      case "retry": {
        const open = newest(instanceId).find((one) =>
          action === "retry"
            ? one.state === "failed"
            : ["running", "cancelling", "failed"].includes(one.state),
        );
        if (open === undefined) throw new CommandError("not-now", "There is nothing to take up.");
        (action === "retry" ? retryOperation : cancelOperation)(web, open.id, who);
        web.wake(open.id);
        return open.id;
      }
      case "back-up-all":
        return inBulk(
          web,
          {
            action: "backUp",
            instanceIds: allInstances().map((one) => one.id),
          },
          who,
        );
      case "plan-backups":
        return setBackupPlan(
          web,
          {
            instanceId,
            plan: {
              ...{ every: "day", at: "03:00", weekday: 0, timeZone: "Europe/Berlin" },
              ...{ keepCount: 1, keepDays: 30, testRestoreEvery: "never" },
            },
          },
          who,
        );
    }
  }

  return {
    process,
    /** Presses the first of the choices that is not refused, and says which it was. */
    async click(choice: readonly Action[], chance: number, times: number): Promise<Action | undefined> {
      const rows = allInstances();
      const row = rows[Math.floor(chance * rows.length)];
      for (const action of choice) {
        try {
          for (let time = 0; time < times; time += 1) await press(action, row, chance);
          return action;
        } catch (error) {
          if (!(error instanceof CommandError) && !(error instanceof ProviderError)) throw error;
        }
      }
      return undefined;
    },
    instances: allInstances,
    /** Presses the first button of each difference on the page Drift, and says which. */
    putRight(): string[] {
      return driftViews(db).flatMap(({ key, actions: [action] }) => {
        if (action === undefined) return [];
        try {
          resolveDrift(web, { key, action }, who);
          return [`${action} ${key}`];
        } catch (error) {
          if (!(error instanceof CommandError)) throw error;
          return [];
        }
      });
    },
  };
}

export type People = ReturnType<typeof createPeople>;
