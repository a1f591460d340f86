import { CommandError } from "#server/commandError.ts";
import { tidyNames } from "#server/operations/backupUses.ts";
import { instanceOf, startOperation } from "#server/operations/startOperation.ts";
import type { Web } from "#server/web.ts";

/** Another version of the intranet's software. */
export function upgradeInstance(
  web: Web,
  { instanceId, version }: { instanceId: string; version: string },
  who: string,
): string {
  return startOperation(web, {
    instanceId,
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
