import { z } from "zod";
import {
  domainProblem,
  maxVariableBytes,
  maxVariables,
  slugProblem,
  variableNameProblem,
  variableValueProblem,
} from "./rules.ts";

/** What the commands are sent, as zod parses it: by the rules that the forms share. Apart from them, as zod is heavy on a page. */

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

/** Where an instance is to move to, and for how many days its address from before leads there. */
export const addressInput = z.object({
  instanceId: z.string().max(64),
  slug: checked(slugProblem),
  domain: checked(domainProblem),
  redirectDays: z.number().int().min(0).max(365),
});

/** A new company name and contact; the dialog checks by the same rules. */
export const renameInput = spawnInput
  .pick({ company: true, contactName: true, contactEmail: true })
  .extend({ instanceId: z.string().max(64) });

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
