import type { Engine } from "#server/operations/engine/engine.ts";

/** Whether the token in use is of the team `accountId`; of one that was never noted it is taken to be. */
export async function isOfOurTeam({ providers }: Engine, accountId: string | null): Promise<boolean> {
  return accountId === null || accountId === (await providers.digitalocean.account()).id;
}
