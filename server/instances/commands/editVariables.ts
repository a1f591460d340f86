import type { EditedVariable } from "#server/instances/inputs.ts";
import { newVariableSet, restoreVariableSet } from "#server/instances/variables.ts";
import { type OperationStarter, startOperation } from "#server/operations/startOperation.ts";
import type { Web } from "#server/web.ts";

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
        what: `reverted the variables of ${instance.company}`,
        facts: { variableSet: set, previousSet: instance.variableSet },
      };
    },
  });
}
