import { write } from "#db/client.ts";
import { listNames } from "#db/listOrder.ts";
import { instances } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import { newId, newSecret } from "#server/ids.ts";
import { addressTaken, isTaken, refuseForeignRecord } from "#server/instances/addresses.ts";
import { refuseDomain } from "#server/instances/domains.ts";
import { type Begun, begunBefore, digestOf } from "#server/instances/idempotency.ts";
import type { SpawnInput } from "#server/instances/inputs.ts";
import { options } from "#server/instances/options.ts";
import { insertVariables } from "#server/instances/variables.ts";
import { insertOperation } from "#server/operations/engine/insertOperation.ts";

import type { Web } from "#server/web.ts";

/**
 * One press of "Spawn instance": instance, variables, operation and wake-up in one transaction. The same press sent
 * twice is the same instance; of many presses for one address the first wins and the others are told.
 */
export async function spawnInstance(web: Web, input: SpawnInput, who: string): Promise<Begun> {
  const choices = await options(web.env, web.digitalocean, web.monotonic());
  const size = choices.sizes.find((one) => one.slug === input.size);
  const fields: Record<string, string> = {};
  if (size === undefined) fields.size = "DigitalOcean doesn't offer this size. Choose another one.";
  else if (!size.regions.includes(input.region))
    fields.region = "This size isn't available in this region. Choose another one.";
  if (!choices.versions.includes(input.version))
    fields.version = "This version isn't available. Choose another one.";
  if (size === undefined || Object.keys(fields).length > 0)
    throw new CommandError("invalid", "Some of these choices aren't available.", fields);

  // The second press of the same button finds what the first has made.
  if (begunBefore(web.db, web.variablesKey, input) === undefined) await refuseForeignRecord(web, input);

  const begun = write(web.db, (tx): Begun => {
    const before = begunBefore(tx, web.variablesKey, input);
    if (before !== undefined) return before;
    refuseDomain(tx, input.domain, web.env);
    if (isTaken(tx, input)) throw addressTaken(tx, input);
    const at = web.now();
    const id = newId();
    const { idempotencyKey, company, contactName, contactEmail, slug, domain, region, version } = input;
    tx.insert(instances)
      .values({
        ...{ id, idempotencyKey, company, contactName, contactEmail, slug, domain, region, version },
        ...listNames(company),
        idempotencyDigest: digestOf(web.variablesKey, input),
        size: size.slug,
        priceMonthlyCents: size.priceMonthlyCents,
        status: "spawning",
        createdBy: who,
        createdAt: at,
      })
      .run();
    insertVariables(
      tx,
      web.variablesKey,
      { id, variableSet: 1 },
      [...input.variables, { name: "ADMIN_KEY", value: newSecret(), secret: true, system: true }],
      at,
    );
    const operationId = insertOperation(tx, {
      kind: "spawn",
      instanceId: id,
      who,
      clock: web,
      what: `spawned ${company}`,
    });
    return { instanceId: id, slug, operationId };
  });
  web.wake(begun.operationId);
  return begun;
}
