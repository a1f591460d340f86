import type { Tx } from "#db/client.ts";
import type { EditedVariable } from "#server/instances/inputs.ts";
import { newVariableSet, restoreVariableSet } from "#server/instances/variables.ts";
import { type instanceOf, type OperationStarter, startOperation } from "#server/operations/startOperation.ts";
import type { Web } from "#server/web.ts";

/** Brings another set of variables into effect; a secret without a value keeps the one it has. */
export const editVariables = (
  web: OperationStarter & Pick<Web, "variablesKey">,
  { instanceId, variables }: { instanceId: string; variables: EditedVariable[] },
  who: string,
): string =>
  bringIntoEffect(web, instanceId, who, (tx, instance) => ({
    what: `changed the variables of ${instance.company}`,
    variableSet: newVariableSet(tx, web.variablesKey, instance, variables, web.now()),
  }));

/** Brings the variables of an earlier set into effect again. */
export const restoreVariables = (
  web: OperationStarter,
  { instanceId, set }: { instanceId: string; set: number },
  who: string,
): string =>
  bringIntoEffect(web, instanceId, who, (tx, instance) => ({
    what: `reverted the variables of ${instance.company}`,
    variableSet: restoreVariableSet(tx, instance, set, web.now()),
  }));

function bringIntoEffect(
  web: OperationStarter,
  instanceId: string,
  who: string,
  write: (tx: Tx, instance: ReturnType<typeof instanceOf>) => { what: string; variableSet: number },
): string {
  return startOperation(web, {
    instanceId,
    kind: "edit-variables",
    who,
    isSame: () => false,
    plan: (tx, instance) => {
      const { what, variableSet } = write(tx, instance);
      return { what, facts: { variableSet, previousSet: instance.variableSet } };
    },
  });
}
