import type { z } from "zod";
import { write } from "#db/client.ts";
import { listNames } from "#db/listOrder.ts";
import { instances, noBackupPlan } from "#db/schema.ts";
import { newId, newSecret } from "#server/ids.ts";
import { addressTaken, isTaken, refuseForeignRecord } from "#server/instances/addresses.ts";
import { refuseDomain } from "#server/instances/domains.ts";
import { type Begun, begunBefore, digestOf } from "#server/instances/idempotency.ts";
import type { restoreAsNewInput } from "#server/instances/inputs.ts";
import { copyVariables } from "#server/instances/variables.ts";
import { insertOperation } from "#server/operations/engine/insertOperation.ts";
import { backupRow, sourceOf } from "#server/operations/goodBackups.ts";
import { instanceOf } from "#server/operations/startOperation.ts";
import type { Web } from "#server/web.ts";

/** A new instance like the backup's own (region, size, contact and variables), that begins with the backup's data. */
export async function restoreAsNew(
  web: Web,
  input: z.infer<typeof restoreAsNewInput>,
  who: string,
): Promise<Begun> {
  const { idempotencyKey, company, slug, backupId } = input;
  if (begunBefore(web.db, web.variablesKey, input) === undefined) {
    const original = instanceOf(web.db, backupRow(web.db, backupId)?.instanceId ?? "");
    await refuseForeignRecord(web, { slug, domain: original.domain });
  }
  const begun = write(web.db, (tx): Begun => {
    const before = begunBefore(tx, web.variablesKey, input);
    if (before !== undefined) return before;
    const row = backupRow(tx, backupId);
    const source = sourceOf(row);
    const from = instanceOf(tx, row?.instanceId ?? "");
    const { domain } = from;
    refuseDomain(tx, domain, web.env);
    if (isTaken(tx, { slug, domain })) throw addressTaken(tx, { slug, domain });
    const at = web.now();
    const id = newId();
    tx.insert(instances)
      .values({
        ...{ id, idempotencyKey, company, slug, domain },
        ...listNames(company),
        idempotencyDigest: digestOf(web.variablesKey, input),
        contactName: from.contactName,
        contactEmail: from.contactEmail,
        region: from.region,
        size: from.size,
        priceMonthlyCents: from.priceMonthlyCents,
        version: source.version,
        status: "spawning",
        backupPlan: { ...noBackupPlan, setAt: at },
        createdBy: who,
        createdAt: at,
      })
      .run();
    const adminKey = newSecret();
    copyVariables(tx, web.variablesKey, from, { id, variableSet: 1 }, adminKey, at);
    const operationId = insertOperation(tx, {
      kind: "restore-as-new",
      instanceId: id,
      who,
      clock: web,
      what: `restored a backup of ${from.company} as ${company}`,
      facts: { source },
    });
    return { instanceId: id, slug, operationId };
  });
  web.wake(begun.operationId);
  return begun;
}
