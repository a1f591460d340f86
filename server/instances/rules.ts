import type { InstanceStatus } from "#db/schema.ts";

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

/**
 * Variables that change how programs start instead of what they do: with one of them, whoever may set a variable runs
 * code of their own wherever the app, its shell or its tools start.
 */
const startsPrograms =
  /^(NODE_.*|NPM_CONFIG_.*|LD_.*|DYLD_.*|DROPLET_.*|BASH_.*|PYTHON.*|PERL.*|RUBY(LIB|OPT)|OPENSSL_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|PATH|HOME|SHELL|ENV|IFS|PS4|TMPDIR|ENVIRONMENT_FILE|METEOR_SHELL_DIR)$/;

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
  if (startsPrograms.test(name)) return `${name} would change how programs start, so it can’t be set.`;
  return undefined;
}

/** A name that would be accepted in place of `name`: "welcome-text" → "WELCOME_TEXT". */
export function suggestVariableName(name: string): string {
  const upper = name.toUpperCase().replaceAll(/[^A-Z0-9_]+/g, "_");
  return /^[0-9]/.test(upper) ? `_${upper}` : upper;
}

/** What is wrong with a variable's value, in a sentence; undefined when it will do. */
export function variableValueProblem(value: string): string | undefined {
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    const printable = code === 9 || code === 10 || code === 13 || (code >= 32 && code !== 127);
    if (!printable) return "Values can hold any printable text and line breaks, but no control characters.";
    if (code >= 0xd800 && code <= 0xdfff) return "This value isn't valid Unicode text.";
  }
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

const busy: Partial<Record<InstanceStatus, string>> = {
  spawning: "Available once it's running or cancelled.",
  "backing-up": "Available once the backup has finished.",
  restoring: "Available once it's restored.",
  updating: "Available once the update has finished.",
  destroying: "It's already being destroyed.",
  destroyed: "It's already destroyed.",
};

/** What the rules need to know about an instance. */
export type InstanceState = {
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

/** Whether an operation may start on an instance in this state: null, or a sentence that says why not. */
export type InstanceRule = (instance: InstanceState) => string | null;

export const unlessBusy: InstanceRule = ({ status }) => busy[status] ?? null;

/** It has run at least once, as far as we can tell. */
export const unlessHalfBuilt: InstanceRule = ({ status, hasRun }) =>
  !hasRun && (status === "failed" || status === "unreachable")
    ? "Available once it has run. Retry or destroy it."
    : null;

const unlessLost: InstanceRule = ({ isDropletGone, isKept }) => {
  if (!isDropletGone) return null;
  return isKept
    ? "Its droplet is gone at DigitalOcean. Destroy it, then bring it back."
    : "Its droplet is gone at DigitalOcean.";
};

/** It has a droplet that is, or was, an intranet, and no operation is running on it. */
export const withDroplet: InstanceRule = (instance) =>
  unlessBusy(instance) ?? unlessHalfBuilt(instance) ?? unlessLost(instance);

/** The same, with the droplet switched on. */
export const whileOn: InstanceRule = (instance) =>
  withDroplet(instance) ?? (instance.status === "off" ? "Available once it's switched on." : null);

/** It was destroyed, and its snapshots and backups haven't been purged. */
export const unlessPurged: InstanceRule = ({ purgedAt }) =>
  purgedAt === null ? null : "Its snapshots and backups have been removed for good.";
