import { z } from "zod";
import { ProviderError } from "#server/providers/errors.ts";
import type { JsonValue, PlaybookName } from "./playbooks.ts";

const text = z.string().refine((value) => !/\p{Surrogate}/u.test(value), "must be valid Unicode text");
const httpUrl = z
  .url({ protocol: /^https?$/ })
  .regex(/^[^\s{}"']+$/, "must not contain spaces, quotes or braces");

/**
 * The only names a playbook is given. What ends up in a path, a file name or another program's
 * configuration is narrow; `company` and the values of `environment_variables` may hold any text.
 */
const runtime = z.enum(["local", "server"]);
const version = z.string().regex(/^[0-9A-Za-z][0-9A-Za-z._-]*$/);
const id = z.string().regex(/^[0-9A-Za-z][0-9A-Za-z-]{0,63}$/);
const port = z.number().int().min(1).max(65535);
const data_dir = z
  .string()
  .regex(/^\/[^\r\n:]*$/, "must be an absolute path")
  .optional();

const provision = z.strictObject({
  company: text,
  slug: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  url: httpUrl,
  version,
  runtime,
  releases_url: httpUrl,
  environment_variables: z.record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/), text),
  web_port: port,
  contact_email: z.email(),
  redirect_from: z.array(z.string().regex(/^[a-z0-9.-]+$/)).optional(),
  data_dir,
  image: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._:/-]*$/)
    .optional(),
});

const backup = z.strictObject({
  runtime,
  backup_id: id,
  version,
  stop: z.boolean().optional(),
  missing_is_empty: z.boolean().optional(),
  tidy_kept: z.array(id).optional(),
  tidy_archives: z.array(id).optional(),
  data_dir,
});
const restore = z.strictObject({
  runtime,
  backup_id: id,
  expected_tree: z.string().regex(/^[0-9a-f]{64}$/),
  restore_id: id,
  leave_stopped: z.boolean().optional(),
  url: httpUrl,
  version,
  web_port: port,
  data_dir,
});
const unrestore = z.strictObject({ runtime, restore_ids: z.array(id), data_dir });

const schemas = { provision, reconfigure: provision, backup, restore, unrestore } satisfies Record<
  PlaybookName,
  z.ZodType
>;
type Checked = z.infer<(typeof schemas)[PlaybookName]>;

export type Runtime = z.infer<typeof runtime>;

/**
 * The variables of a run, checked against the names its playbook may be given.
 * @throws ProviderError (not retryable) that names every wrong variable, and never a value.
 */
export function checkVariables(playbook: PlaybookName, vars: Record<string, JsonValue>): Checked {
  const result = schemas[playbook].safeParse(vars);
  if (result.success) return result.data;
  const detail = result.error.issues
    .map((issue) => {
      const where = issue.path.join(".");
      if (issue.code === "unrecognized_keys") return `unknown: ${issue.keys.join(", ")}`;
      return `${where}: ${issue.message}`;
    })
    .join("; ");
  throw new ProviderError({
    userMessage: `The settings for the playbook "${playbook}" aren't valid. Correct the instance's details and try again.`,
    detail: `Variables of playbook ${playbook}: ${detail}`,
    retryable: false,
  });
}

/**
 * Variables as YAML in which every string stands in a collection tagged `!unsafe`: Ansible then takes it as it
 * stands. Without the tag a value such as `{{ lookup('pipe', 'id') }}` is executed, even from a JSON file.
 *
 * The collections are tagged and not the strings, because ansible-core 2.19 guesses the type of a tagged
 * scalar anew, quotes or not: `!unsafe "0123"` is the number 83, `!unsafe "yes"` is true. And every
 * collection is, because 2.14 does not look into one that is nested in a tagged one.
 */
export function variablesAsYaml(vars: Record<string, JsonValue | undefined>): string {
  const lines = Object.entries(vars).flatMap(([name, value]) =>
    value === undefined ? [] : [`  ${quoted(name)}: ${yaml(value)}`],
  );
  return `!unsafe {\n${lines.join(",\n")}\n}\n`;
}

function yaml(value: JsonValue): string {
  if (typeof value === "string") return quoted(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `!unsafe [${value.map(yaml).join(", ")}]`;
  const entries = Object.entries(value).map(([name, inner]) => `${quoted(name)}: ${yaml(inner)}`);
  return `!unsafe {${entries.join(", ")}}`;
}

/** A JSON string is a double-quoted YAML scalar, but for the characters YAML reads as line ends or not at all. */
function quoted(value: string): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
