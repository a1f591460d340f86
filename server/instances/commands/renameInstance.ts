import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { CommandError } from "#server/commandError.ts";
import type { renameInput } from "#server/instances/inputs.ts";
import { type OperationStarter, startOperation } from "#server/operations/startOperation.ts";

/** Changes the company name and contact. The address stays the same. */
export function renameInstance(
  beginner: OperationStarter,
  { instanceId, ...names }: z.infer<typeof renameInput>,
  who: string,
): string {
  return startOperation(beginner, {
    instanceId,
    kind: "rename",
    who,
    isSame: ({ facts }) => isDeepStrictEqual(facts.names, names),
    plan: (_tx, { company, contactName, contactEmail }) => {
      const previousNames = { company, contactName, contactEmail };
      if (isDeepStrictEqual(names, previousNames)) {
        const userMessage = "It already has this company name and contact. Change at least one of them.";
        throw new CommandError("invalid", userMessage, { company: userMessage });
      }
      const what =
        names.company === company
          ? `changed the contact of ${company}`
          : `renamed ${company} to ${names.company}`;
      return { what, facts: { names, previousNames } };
    },
  });
}
