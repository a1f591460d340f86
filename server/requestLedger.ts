import { eq } from "drizzle-orm";
import { z } from "zod";
import { type Db, write } from "../db/client.ts";
import { settings } from "../db/schema.ts";
import type { Clock } from "./clock.ts";
import { grantLease, type Ledger } from "./providers/digitalocean/budget.ts";

const name = "digitalocean-requests";
const leasesSchema = z.array(z.object({ at: z.number(), requests: z.number() }));

/** The requests to DigitalOcean that web and workers have leased, in the database that they share. */
export function createRequestLedger(db: Db, { monotonic }: Pick<Clock, "monotonic">): Ledger {
  return {
    lease: (wanted, share) =>
      write(db, (tx) => {
        const row = tx.select().from(settings).where(eq(settings.name, name)).get();
        const before = row === undefined ? [] : leasesSchema.parse(JSON.parse(row.value));
        const { requests, waitMs, leases } = grantLease(before, { at: monotonic(), wanted, share });
        const value = JSON.stringify(leases);
        if (requests > 0)
          tx.insert(settings)
            .values({ name, value })
            .onConflictDoUpdate({ target: settings.name, set: { value } })
            .run();
        return { requests, waitMs };
      }),
  };
}
