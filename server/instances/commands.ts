import { randomBytes } from "node:crypto";
import { and, desc, eq, isNotNull, isNull } from "drizzle-orm";
import { type Tx, write } from "../../db/client.ts";
import { instances, operations } from "../../db/schema.ts";
import { newId } from "../ids.ts";
import { beginOperation } from "../operations/begin.ts";
import { Refusal } from "../refusal.ts";
import type { Web } from "../web.ts";
import { options } from "./options.ts";
import { instanceRefusals, type SpawnInput, slugProblem } from "./rules.ts";
import { insertVariables } from "./variables.ts";

type Clicked = { instanceId: string; slug: string; operationId: string };

const addressTaken = (slug: string, domain: string) =>
  new Refusal("conflict", `${slug}.${domain} is taken.`, {
    slug: `${slug}.${domain} is taken. Choose another name.`,
  });

/**
 * One press of "Spawn instance": instance, variables, operation and wake-up in one transaction. The same press sent
 * twice is the same instance; of many presses for one address the first wins and the others are told.
 */
export async function spawnInstance(web: Web, input: SpawnInput, who: string): Promise<Clicked> {
  const choices = await options(web.env, web.digitalocean, Date.now());
  const size = choices.sizes.find((one) => one.slug === input.size);
  const fields: Record<string, string> = {};
  if (size === undefined) fields.size = "DigitalOcean does not offer this size. Choose another one.";
  else if (!size.regions.includes(input.region))
    fields.region = "This size is not offered in this region. Choose another one.";
  if (!choices.versions.includes(input.version))
    fields.version = "There is no such version. Choose another one.";
  if (size === undefined || Object.keys(fields).length > 0)
    throw new Refusal("invalid", "Some of the choices are not offered.", fields);

  const clicked = write(web.db, (tx): Clicked => {
    const before = clickedBefore(tx, input.clickKey);
    if (before !== undefined) return before;
    if (liveInstance(tx, input.slug, input.domain) !== undefined)
      throw addressTaken(input.slug, input.domain);
    const at = Date.now();
    const id = newId();
    const { clickKey, company, contactName, contactEmail, slug, domain, region, version } = input;
    tx.insert(instances)
      .values({
        ...{ id, clickKey, company, contactName, contactEmail, slug, domain, region, version },
        size: size.slug,
        priceMonthly: size.priceMonthlyCents,
        status: "spawning",
        createdBy: who,
        createdAt: at,
      })
      .run();
    insertVariables(
      tx,
      web.variablesKey,
      id,
      [
        ...input.variables,
        { name: "ADMIN_KEY", value: randomBytes(24).toString("base64url"), secret: true, system: true },
      ],
      at,
    );
    const operationId = beginOperation(tx, {
      kind: "spawn",
      instanceId: id,
      who,
      at,
      what: `spawned ${company}`,
    });
    return { instanceId: id, slug, operationId };
  });
  web.wake(clicked.operationId);
  return clicked;
}

function clickedBefore(tx: Tx, clickKey: string): Clicked | undefined {
  return tx
    .select({ instanceId: instances.id, slug: instances.slug, operationId: operations.id })
    .from(instances)
    .innerJoin(operations, eq(operations.instanceId, instances.id))
    .where(and(eq(instances.clickKey, clickKey), eq(operations.kind, "spawn")))
    .get();
}

const liveInstance = (tx: Tx, slug: string, domain: string) =>
  tx
    .select({ id: instances.id })
    .from(instances)
    .where(and(eq(instances.slug, slug), eq(instances.domain, domain), isNull(instances.destroyedAt)))
    .get();

/** Destroys an instance in whatever state it is: a half-built spawn as well. `confirm` must be its slug. */
export function destroyInstance(
  web: Web,
  input: { instanceId: string; confirm: string },
  who: string,
): string {
  const operationId = write(web.db, (tx) => {
    const instance = tx.select().from(instances).where(eq(instances.id, input.instanceId)).get();
    if (instance === undefined) throw new Refusal("not-found", "There is no such instance.");
    const before = tx
      .select()
      .from(operations)
      .where(eq(operations.instanceId, instance.id))
      .orderBy(desc(operations.createdAt), desc(operations.id))
      .get();
    // The second press of the same button is the first one's.
    if (before?.kind === "destroy" && before.state === "running") return before.id;
    const refusal = instanceRefusals(instance).destroy;
    if (refusal !== undefined) throw new Refusal("not-now", refusal);
    if (input.confirm !== instance.slug)
      throw new Refusal("invalid", `Type ${instance.slug} to confirm.`, {
        confirm: `Type ${instance.slug} to confirm.`,
      });
    // What an interrupted spawn knew of its droplet, so that even one it never saw is found.
    const { createAskedAt, dropletId, address } = before?.facts ?? {};
    return beginOperation(tx, {
      kind: "destroy",
      instanceId: instance.id,
      who,
      at: Date.now(),
      facts: { createAskedAt, dropletId, address },
      what: `destroyed ${instance.company}`,
    });
  });
  web.wake(operationId);
  return operationId;
}

/** What the form says about a slug while it is typed. */
export function checkSlug(web: Web, { slug, domain }: { slug: string; domain: string }) {
  const problem = slugProblem(slug);
  if (problem !== undefined) return { free: false, sentence: problem, suggestion: null, previous: null };
  if (liveInstance(web.db, slug, domain) !== undefined) {
    const suggestion = Array.from({ length: 50 }, (_, index) => `${slug.slice(0, 37)}-${index + 2}`).find(
      (candidate) => liveInstance(web.db, candidate, domain) === undefined,
    );
    return {
      free: false,
      sentence: `${slug}.${domain} is taken.`,
      suggestion: suggestion ?? null,
      previous: null,
    };
  }
  const previous = web.db
    .select({ id: instances.id, company: instances.company, destroyedAt: instances.destroyedAt })
    .from(instances)
    .where(and(eq(instances.slug, slug), eq(instances.domain, domain), isNotNull(instances.destroyedAt)))
    .orderBy(desc(instances.destroyedAt))
    .get();
  return { free: true, sentence: null, suggestion: null, previous: previous ?? null };
}
