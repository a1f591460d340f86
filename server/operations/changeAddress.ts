import { and, eq } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { aliases } from "#db/schema.ts";
import { newId } from "#server/ids.ts";
import { whileOn } from "#server/instances/rules.ts";
import { whatIsThere } from "./engine/aftermath.ts";
import {
  defineOperation,
  done,
  type FactsOf,
  later,
  type Outcome,
  type StepContext,
  StepFailure,
  skipped,
  step,
  undoneBy,
} from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { ensureRecord, forgetRecords, keepRecords, recordMayCome, removeOwnRecords } from "./steps/dns.ts";
import { findOwnDroplet } from "./steps/dropletPresence.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { playbookFacts, playbookStep } from "./steps/playbook.ts";

const place = z.object({ slug: z.string(), domain: z.string() });
type Place = z.infer<typeof place>;
const facts = {
  ...playbookFacts,
  next: place,
  previous: place,
  redirectDays: z.number(),
  /** The address to move to has been an earlier one, which led here until then. */
  redirectUntil: z.number(),
};
type Facts = FactsOf<typeof facts>;
type Context = StepContext<Facts>;

const dayMs = 86_400_000;

function placesOf({ facts }: Context): { next: Place; previous: Place; redirectDays: number } {
  const { next, previous, redirectDays = 0 } = facts;
  if (next === undefined || previous === undefined)
    throw new StepFailure("The new address is missing.", "no address in the operation's facts");
  return { next, previous, redirectDays };
}
const hostOf = ({ slug, domain }: Place) => `${slug}.${domain}`;
/** The instance's own alias of that name: by the time of a retry it may be another instance's. */
const at = ({ instance }: Context, { slug, domain }: Place) =>
  and(eq(aliases.instanceId, instance.id), eq(aliases.slug, slug), eq(aliases.domain, domain));

/** The name leads nowhere, and is free again. */
async function free(context: Context, spot: Place): Promise<Outcome<Facts>> {
  const { removed, isSettled } = await removeOwnRecords(context, spot);
  if (!isSettled) return later(recordMayCome);
  return done({
    rows: (tx) => {
      tx.delete(aliases).where(at(context, spot)).run();
      forgetRecords(tx, removed);
    },
  });
}

/** Where it was to move to is as it was: free, or an earlier address that leads here until its time is over. */
async function leaveNext(context: Context): Promise<Outcome<Facts>> {
  const { next } = placesOf(context);
  const { redirectUntil } = context.facts;
  if (redirectUntil === undefined) return free(context, next);
  const redirect = { role: "redirect" as const, expiresAt: redirectUntil };
  return done({ rows: (tx) => tx.update(aliases).set(redirect).where(at(context, next)).run() });
}

/** The instance's own name is the new one; the old one leads to it until its time is over. */
function switchOver(context: Context) {
  const { next, previous, redirectDays } = placesOf(context);
  const { instance, now } = context;
  return {
    instance: next,
    rows: (tx: Tx) => {
      tx.delete(aliases).where(at(context, next)).run();
      const expiresAt = now() + redirectDays * dayMs;
      tx.insert(aliases)
        .values({ id: newId(), instanceId: instance.id, ...previous, role: "redirect", expiresAt })
        .onConflictDoNothing()
        .run();
    },
  };
}

/** The name from before is the instance's own again; the new one waits to be removed. */
function switchBack(context: Context) {
  const { next, previous } = placesOf(context);
  return {
    instance: previous,
    rows: (tx: Tx) => {
      tx.delete(aliases).where(at(context, previous)).run();
      tx.insert(aliases)
        .values({
          ...{ id: newId(), instanceId: context.instance.id, ...next, role: "next" },
          expiresAt: context.facts.redirectUntil ?? null,
        })
        .onConflictDoNothing()
        .run();
    },
  };
}

const urlAt = (which: "next" | "previous") => (context: Context) => context.urlOf(placesOf(context)[which]);
const begun = ({ facts }: Context) => facts.runs?.reconfigure !== undefined;
const otherRedirects = (context: Context) => {
  const { next, previous } = placesOf(context);
  return context.aliases
    .filter((alias) => alias.role === "redirect")
    .map(hostOf)
    .filter((host) => host !== hostOf(next) && host !== hostOf(previous));
};

/** Another address without destroying: either one works at any moment of it. */
export const changeAddress = defineOperation<Facts>({
  kind: "change-address",
  label: "Change address",
  userMessages: {
    cancelling:
      "The instance keeps its previous address, and the new DNS record is removed. If the new address already pointed here, it still does.",
    cancelled: ({ facts }) =>
      facts.redirectUntil === undefined
        ? "The instance kept its previous address, and the new DNS record was removed."
        : "The instance kept its previous address. The other one still points to it.",
    failed: whatIsThere,
  },
  facts: z.object(facts).partial(),
  status: { during: "updating", done: "running", cancelled: "before", failed: "failed" },
  mutating: true,
  allowed: whileOn,
  visitorStatus: "is being moved",
  leavesRequests: true,
  appliesConfiguration: true,
  changesConfiguration: true,
  steps: [
    undoneBy(
      step<Facts>("new-dns", "Create the new DNS record", async (context) => {
        // DigitalOcean gives a gone droplet's IP address to someone else, and the record would point to them.
        const found = await findOwnDroplet(context);
        if ("outcome" in found) return found.outcome;
        const record = await ensureRecord(context, placesOf(context).next);
        return done({ rows: (tx) => keepRecords(tx, context, [record]) });
      }),
      step("undo-dns", "Remove the new DNS record", leaveNext),
    ),
    undoneBy(
      playbookStep<Facts>("reconfigure", "Reconfigure with Ansible", {
        playbook: "reconfigure",
        vars: (context) => {
          const { next, previous, redirectDays } = placesOf(context);
          const redirectFrom = [...otherRedirects(context), ...(redirectDays > 0 ? [hostOf(previous)] : [])];
          return intranetVars(context, { url: context.urlOf(next), slug: next.slug, redirectFrom });
        },
      }),
      playbookStep("undo-reconfigure", "Reconfigure with Ansible for the previous address", {
        playbook: "reconfigure",
        vars: (context) => {
          const { next, previous } = placesOf(context);
          if (!begun(context)) return undefined;
          const before = context.facts.redirectUntil === undefined ? [] : [hostOf(next)];
          const redirectFrom = [...otherRedirects(context), ...before];
          return intranetVars(context, { url: context.urlOf(previous), slug: previous.slug, redirectFrom });
        },
      }),
      appReady("undo-ready", {
        label: "Wait for the previous address to answer",
        url: urlAt("previous"),
        when: begun,
        learned: switchBack,
      }),
    ),
    appReady("new-ready", {
      label: "Wait for the new address to answer",
      url: urlAt("next"),
      learned: switchOver,
    }),
    step(
      "old-dns",
      "Remove the old DNS record",
      async (context): Promise<Outcome<Facts>> => {
        const { previous, redirectDays } = placesOf(context);
        if (redirectDays === 0) return free(context, previous);
        const text = `${hostOf(previous)} redirects to the new address for ${redirectDays} days.`;
        return skipped({ log: [{ at: context.now(), text }] });
      },
      { final: true },
    ),
  ],
});
