import { z } from "zod";
import { type Db, write } from "#db/client.ts";
import { readSetting, writeSetting } from "#db/settings.ts";
import type { Clock } from "./clock.ts";
import { grantLease, type Ledger } from "./providers/digitalocean/budget.ts";

const name = "digitalocean-requests";
const leasesSchema = z.array(z.object({ at: z.number(), requests: z.number() }));

/** The requests to DigitalOcean that web and workers have leased, in the database that they share. */
export function createRequestLedger(db: Db, { monotonic }: Pick<Clock, "monotonic">): Ledger {
  return {
    lease: (wanted, share) =>
      write(db, (tx) => {
        const before = readSetting(tx, name, leasesSchema) ?? [];
        const { requests, waitMs, leases } = grantLease(before, { at: monotonic(), wanted, share });
        if (requests > 0) writeSetting(tx, name, leases);
        return { requests, waitMs };
      }),
  };
}
