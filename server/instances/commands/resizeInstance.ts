import { isDeepStrictEqual } from "node:util";
import { CommandError } from "#server/commandError.ts";
import { options } from "#server/instances/options.ts";
import { startOperation } from "#server/operations/startOperation.ts";
import type { Web } from "#server/web.ts";

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
