import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { aliases } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import { newId } from "#server/ids.ts";
import { tidyNames } from "#server/operations/backupUses.ts";
import { instanceOf, type OperationStarter, startOperation } from "#server/operations/startOperation.ts";
import type { Web } from "#server/web.ts";
import { addressTaken, isTaken, type RecordFinder, refuseForeignRecord } from "./addresses.ts";
import { options } from "./options.ts";
import type { addressInput, EditedVariable } from "./rules.ts";
import { newVariableSet, restoreVariableSet } from "./variables.ts";

/** Moves an instance to another address; the one from before leads there for a time. */
export async function changeAddress(
  web: OperationStarter & RecordFinder,
  input: z.infer<typeof addressInput>,
  who: string,
): Promise<string> {
  const { instanceId, slug, domain, redirectDays } = input;
  await refuseForeignRecord(web, { slug, domain }, instanceId);
  return startOperation(web, {
    instanceId,
    action: "changeAddress",
    kind: "change-address",
    who,
    isSame: ({ facts }) => isDeepStrictEqual(facts.next, { slug, domain }),
    plan: (tx, instance) => {
      if (slug === instance.slug && domain === instance.domain) {
        const userMessage = "It already has this address. Choose another one.";
        throw new CommandError("invalid", userMessage, { slug: userMessage });
      }
      if (isTaken(tx, { slug, domain }, instance.id)) throw addressTaken(tx, { slug, domain });
      // Back to an address that still leads here: it becomes the one to move to, and Cancel makes it what it was.
      const next = { instanceId, slug, domain, role: "next" as const };
      const [{ expiresAt: redirectUntil } = { expiresAt: null }] = tx
        .insert(aliases)
        .values({ id: newId(), ...next })
        .onConflictDoUpdate({ target: [aliases.slug, aliases.domain], set: { role: "next" } })
        .returning({ expiresAt: aliases.expiresAt })
        .all();
      const previous = { slug: instance.slug, domain: instance.domain };
      return {
        what: `moved ${instance.company} to ${slug}.${domain}`,
        facts: {
          ...{ next: { slug, domain }, previous, redirectDays },
          ...(redirectUntil === null ? {} : { redirectUntil }),
        },
      };
    },
  });
}

/** Brings another set of variables into effect; a secret without a value keeps the one it has. */
export function editVariables(
  web: OperationStarter & Pick<Web, "variablesKey">,
  input: { instanceId: string; variables: EditedVariable[] },
  who: string,
): string {
  return startOperation(web, {
    instanceId: input.instanceId,
    action: "editVariables",
    kind: "edit-variables",
    who,
    isSame: () => false,
    plan: (tx, instance) => {
      const set = newVariableSet(tx, web.variablesKey, instance, input.variables, web.now());
      return {
        what: `changed the variables of ${instance.company}`,
        facts: { variableSet: set, previousSet: instance.variableSet },
      };
    },
  });
}

/** Brings the variables of an earlier set into effect again. */
export function restoreVariables(
  web: OperationStarter,
  input: { instanceId: string; set: number },
  who: string,
): string {
  return startOperation(web, {
    instanceId: input.instanceId,
    action: "editVariables",
    kind: "edit-variables",
    who,
    isSame: () => false,
    plan: (tx, instance) => {
      const set = restoreVariableSet(tx, instance, input.set, web.now());
      return {
        what: `put the earlier variables of ${instance.company} back`,
        facts: { variableSet: set, previousSet: instance.variableSet },
      };
    },
  });
}

const powers = {
  restart: { action: "restart", kind: "restart", verb: "restarted" },
  off: { action: "powerOff", kind: "power-off", verb: "switched off" },
  on: { action: "powerOn", kind: "power-on", verb: "switched on" },
} as const;

/** Restarts an instance's droplet, or switches it off or on. */
export function setPower(
  beginner: OperationStarter,
  { instanceId, power }: { instanceId: string; power: keyof typeof powers },
  who: string,
): string {
  const { action, kind, verb } = powers[power];
  return startOperation(beginner, {
    instanceId,
    action,
    kind,
    who,
    plan: (_tx, { company }) => ({ what: `${verb} ${company}` }),
  });
}

/** Another size of droplet. */
export async function resizeInstance(
  web: Web,
  input: { instanceId: string; size: string },
  who: string,
): Promise<string> {
  const choices = await options(web.env, web.digitalocean, web.monotonic());
  const size = choices.sizes.find((one) => one.slug === input.size);
  const wished = { slug: input.size, priceMonthlyCents: size?.priceMonthlyCents };
  return startOperation(web, {
    instanceId: input.instanceId,
    action: "resize",
    kind: "resize",
    who,
    isSame: ({ facts }) => isDeepStrictEqual(facts.size, wished),
    plan: (_tx, instance) => {
      const current = choices.sizes.find((one) => one.slug === instance.size);
      const problem =
        size === undefined || !size.regions.includes(instance.region)
          ? "DigitalOcean doesn't offer this size there. Choose another one."
          : size.slug === instance.size
            ? "It already has this size. Choose another one."
            : undefined;
      if (size === undefined || problem !== undefined)
        throw new CommandError("invalid", problem ?? "", { size: problem ?? "" });
      return {
        what: `resized ${instance.company} from ${current?.name ?? instance.size} to ${size.name}`,
        facts: {
          size: wished,
          previousSize: { slug: instance.size, priceMonthlyCents: instance.priceMonthlyCents },
        },
      };
    },
  });
}

/** Another version of the intranet's software. */
export function upgradeInstance(
  web: Web,
  { instanceId, version }: { instanceId: string; version: string },
  who: string,
): string {
  return startOperation(web, {
    instanceId,
    action: "upgrade",
    kind: "upgrade",
    who,
    isSame: ({ facts }) => facts.version === version,
    plan: (tx) => {
      const instance = instanceOf(tx, instanceId);
      const problem = !web.env.releases.includes(version)
        ? "This version isn't available. Choose another one."
        : version === instance.version
          ? "It already runs this version. Choose another one."
          : undefined;
      if (problem !== undefined) throw new CommandError("invalid", problem, { version: problem });
      return {
        what: `upgraded ${instance.company} from ${instance.version} to ${version}`,
        facts: { version, previousVersion: instance.version, tidy: tidyNames(tx, instanceId) },
      };
    },
  });
}
