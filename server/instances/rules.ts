import { z } from "zod";
import type { InstanceStatus } from "#db/schema.ts";
import type { InstanceAction } from "#server/api/views.ts";

/** Names that must never become a customer's address. */
const reservedSlugs = new Set(
  "www mail api admin smtp imap pop ftp ns ns1 ns2 ns3 mx autoconfig autodiscover dashboard spawner status support help docs blog app localhost root postmaster webmaster abuse".split(
    " ",
  ),
);

/** Variables that belong to the system (product rule); ADMIN_KEY is made by the Spawner for each instance. */
const systemVariables: ReadonlySet<string> = new Set([
  "ROOT_URL",
  "REDIRECT_FROM",
  "MONGO_URL",
  "PORT",
  "HOST",
  "DATA_DIR",
  "COMPANY",
  "ADMIN_KEY",
]);

export const maxVariables = 100;
export const maxVariableBytes = 32 * 1024;

/** Turns a company's name into a slug that would be accepted: "Bergström & Co" → "bergstrom-co". */
export function suggestSlug(company: string): string {
  const plain = company
    .replaceAll("ß", "ss")
    .replaceAll(/[æÆ]/g, "ae")
    .replaceAll(/[øØ]/g, "o")
    .normalize("NFKD")
    .replaceAll(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  if (plain.length === 0) return "";
  return plain.length < 2 || reservedSlugs.has(plain) ? `${plain}-intranet` : plain;
}

/** What is wrong with a slug, in a sentence; undefined when it is a good one. */
export function slugProblem(slug: string): string | undefined {
  if (slug === "") return "Enter a name, such as acme.";
  if (!/^[a-z0-9-]*$/.test(slug)) return "Use lower-case letters, digits and hyphens.";
  if (slug.length < 2) return "Use at least 2 characters.";
  if (slug.length > 40) return "Use at most 40 characters.";
  if (slug.startsWith("-") || slug.endsWith("-")) return "Start and end with a letter or a digit.";
  if (slug.startsWith("xn--"))
    return "A name can’t start with xn--, which is reserved for international domains.";
  if (reservedSlugs.has(slug)) return `${slug} is reserved. Choose another name.`;
  return undefined;
}

/** A problem with a variable's name, in a sentence; undefined when it is a good one. */
export function variableNameProblem(name: string): string | undefined {
  if (name === "") return "Enter a name.";
  if (!/^[A-Z_][A-Z0-9_]*$/.test(name))
    return "Use capital letters, digits and underscores, starting with a letter or an underscore.";
  if (name.length > 128) return "Use at most 128 characters.";
  if (systemVariables.has(name)) return `${name} is set by the system for every instance.`;
  return undefined;
}

/** A name that would be accepted in place of `name`: "welcome-text" → "WELCOME_TEXT". */
export function suggestVariableName(name: string): string {
  const upper = name.toUpperCase().replaceAll(/[^A-Z0-9_]+/g, "_");
  return /^[0-9]/.test(upper) ? `_${upper}` : upper;
}

function variableValueProblem(value: string): string | undefined {
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    const printable = code === 9 || code === 10 || code === 13 || (code >= 32 && code !== 127);
    if (!printable) return "Values can hold any printable text and line breaks, but no control characters.";
    if (code >= 0xd800 && code <= 0xdfff)
      return "Values must be valid text. This one contains half a character.";
  }
  return undefined;
}

/** What is wrong with an email address, in a sentence; undefined when it will do. */
export function emailProblem(email: string): string | undefined {
  if (email === "") return "Enter an email address, such as petra@acme.example.";
  if (!email.includes("@")) return "The @ is missing. An email address looks like petra@acme.example.";
  const domain = email.slice(email.lastIndexOf("@") + 1);
  if (!domain.includes(".") || domain.endsWith("."))
    return "The ending is missing. An email address looks like petra@acme.example.";
  if (!z.email().safeParse(email).success || email.length > 254)
    return "This isn't an email address. It looks like petra@acme.example.";
  return undefined;
}

/** A customer's own domain: at least two labels, each a DNS label. */
export function domainProblem(domain: string): string | undefined {
  const labels = domain.split(".");
  const good =
    domain.length <= 200 &&
    labels.length >= 2 &&
    labels.every((label) => /^(?!-)[a-z0-9-]{1,63}(?<!-)$/.test(label));
  return good ? undefined : "Use a domain such as intranet.io, in lower-case letters.";
}

const checked = (problem: (value: string) => string | undefined) =>
  z.string().superRefine((value, context) => {
    const message = problem(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });

const plainText = (what: string, max: number) =>
  z
    .string()
    .trim()
    .min(1, `Enter ${what}.`)
    .max(max, `Use at most ${max} characters.`)
    .regex(/^[^\p{Cc}]*$/u, "Use one line of plain text.");

const variableInput = z.object({
  name: checked(variableNameProblem),
  value: checked(variableValueProblem),
  secret: z.boolean(),
});
export type VariableInput = z.infer<typeof variableInput>;

/** Says beside its field when a name comes twice, and for all of them when they are too long together. */
function checkTogether(
  list: readonly { name: string; value: string | null }[],
  context: z.core.$RefinementCtx,
): void {
  const seen = new Set<string>();
  let bytes = 0;
  list.forEach((variable, index) => {
    bytes += new TextEncoder().encode(variable.name + (variable.value ?? "")).length;
    if (seen.has(variable.name))
      context.addIssue({
        code: "custom",
        path: [index, "name"],
        message: `${variable.name} is already in the list.`,
      });
    seen.add(variable.name);
  });
  if (bytes > maxVariableBytes)
    context.addIssue({
      code: "custom",
      path: [],
      message: `All variables together take ${Math.ceil(bytes / 1024)} KiB. Use at most ${maxVariableBytes / 1024} KiB.`,
    });
}

const tooMany = `Use at most ${maxVariables} variables.`;
export const variablesInput = z.array(variableInput).max(maxVariables, tooMany).superRefine(checkTogether);

/** Everything the form sends. The same rules run in the browser and on the server. */
export const spawnInput = z.object({
  idempotencyKey: z.uuid(),
  company: plainText("the company's name", 100),
  contactName: plainText("the contact's name", 100),
  contactEmail: z.string().trim().pipe(checked(emailProblem)),
  slug: checked(slugProblem),
  domain: checked(domainProblem),
  region: z.string().min(1, "Choose a region."),
  size: z.string().min(1, "Choose a size."),
  version: z.string().regex(/^[0-9A-Za-z.-]{1,40}$/, "Choose a version."),
  variables: variablesInput,
});
export type SpawnInput = z.infer<typeof spawnInput>;

export const protectedFromDestroy = "It's protected. Turn off protection in its settings first.";

const busy: Partial<Record<InstanceStatus, string>> = {
  spawning: "Possible once it's running, or after Cancel.",
  "backing-up": "Possible once the backup has finished.",
  restoring: "Possible once it's restored.",
  updating: "Possible once the update has finished.",
  destroying: "It's already being destroyed.",
  destroyed: "It's already destroyed.",
};

type Judged = {
  status: InstanceStatus;
  isProtected: boolean;
  /** It has run at least once. */
  hasRun: boolean;
  /** There is a snapshot or a good backup to bring it back from. */
  isKept: boolean;
  /** Its droplet is gone at DigitalOcean. */
  isDropletGone: boolean;
  purgedAt: number | null;
};

/**
 * One table for buttons and commands alike: what a person may do with an instance now; for each action null, or the
 * reason why not.
 */
export function instanceRefusals(instance: Judged): Record<InstanceAction, string | null> {
  const { status } = instance;
  const occupied = busy[status] ?? null;
  const off = status === "off" ? "Possible once it's switched on." : null;
  const half =
    !instance.hasRun && (status === "failed" || status === "unreachable")
      ? "Possible once it has run. Retry, or destroy it."
      : null;
  const lost = instance.isDropletGone
    ? instance.isKept
      ? "Its droplet is gone at DigitalOcean. Destroy it, then bring it back."
      : "Its droplet is gone at DigitalOcean."
    : null;
  const whileOn = occupied ?? half ?? lost ?? off;
  const isDestroyed = status === "destroyed";
  const gone = instance.purgedAt === null ? null : "Its snapshots and backups have been removed for good.";
  const never = instance.isKept ? null : "It has no snapshot and no good backup to start from.";
  return {
    destroy: occupied ?? (instance.isProtected ? protectedFromDestroy : null),
    backUp: whileOn,
    restore: whileOn,
    testRestore: isDestroyed ? "It's destroyed." : half,
    changeAddress: whileOn,
    editVariables: whileOn,
    restart: whileOn,
    powerOff: occupied ?? half ?? lost ?? (off === null ? null : "It's already switched off."),
    powerOn:
      occupied ?? (status === "off" || status === "failed" ? (half ?? lost) : "It's already switched on."),
    resize: whileOn,
    upgrade: whileOn,
    bringBack: isDestroyed ? (gone ?? never) : "It isn't destroyed.",
    purge: isDestroyed ? gone : "Destroy it first.",
  };
}

/** Where an instance is to move to, and for how many days its address from before leads there. */
export const addressInput = z.object({
  instanceId: z.string().max(64),
  slug: checked(slugProblem),
  domain: checked(domainProblem),
  redirectDays: z.number().int().min(0).max(365),
});

const editedVariable = z.object({
  name: checked(variableNameProblem),
  value: checked(variableValueProblem).nullable(),
  secret: z.boolean(),
});
/** A value of null keeps the secret that is there. */
export const editedVariablesInput = z
  .array(editedVariable)
  .max(maxVariables, tooMany)
  .superRefine(checkTogether);
export type EditedVariable = z.infer<typeof editedVariable>;

/** Where a destroyed instance comes back: without a slug at its own address. */
export const bringBackInput = z.object({
  instanceId: z.string().max(64),
  slug: checked(slugProblem).optional(),
});

export const backupPlanInput = z.object({
  every: z.enum(["never", "day", "week"]),
  at: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "Enter a time such as 03:00."),
  weekday: z.number().int().min(0).max(6),
  timeZone: z.string().refine(isTimeZone, "Enter a time zone such as Europe/Berlin."),
  keepCount: z.number().int().min(1, "Keep at least 1.").max(1000, "Keep at most 1000."),
  keepDays: z.number().int().min(1, "Keep at least 1 day.").max(3650, "Keep at most 3650 days."),
  testRestoreEvery: z.enum(["never", "week", "month"]),
});

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

export const restoreAsNewInput = z.object({
  idempotencyKey: z.uuid(),
  backupId: z.string().max(64),
  company: plainText("the company's name", 100),
  slug: checked(slugProblem),
});
