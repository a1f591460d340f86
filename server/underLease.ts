import { z } from "zod";
import { type Db, write } from "#db/client.ts";
import { readSetting, removeSetting, writeSetting } from "#db/settings.ts";
import type { Clock } from "./clock.ts";
import { newId } from "./ids.ts";
import { report } from "./report.ts";

const leaseMs = 60_000;
const renewEveryMs = 20_000;

const leaseSchema = z.object({ holder: z.string(), until: z.number() });
type Holding = Pick<Clock, "monotonic" | "after"> & { db: Db };

/**
 * Does the work unless somebody else, here or in another process, is doing what goes by this name. The lease of a
 * holder that dies ends by itself; one that was suspended for so long that it lost its lease has its signal aborted.
 */
export async function underLease(
  context: Holding,
  name: string,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const holder = newId();
  if (!take(context, name, holder)) return;
  const lost = new AbortController();
  let cancel = context.after(renewEveryMs, renew);
  function renew(): void {
    try {
      if (!take(context, name, holder)) throw new Error(`The ${name} lease has passed to another holder.`);
      cancel = context.after(renewEveryMs, renew);
    } catch (error) {
      lost.abort(error);
    }
  }
  try {
    await work(lost.signal);
  } finally {
    cancel();
    giveBack(context, name, holder);
  }
}

/** Takes the lease, or renews it; false when it is another's. */
function take({ db, monotonic }: Holding, name: string, holder: string): boolean {
  return write(db, (tx) => {
    const known = readSetting(tx, leaseOf(name), leaseSchema);
    if (known !== undefined && known.holder !== holder && known.until > monotonic()) return false;
    writeSetting(tx, leaseOf(name), { holder, until: monotonic() + leaseMs });
    return true;
  });
}

/** What cannot be given back ends by itself. */
function giveBack({ db }: Holding, name: string, holder: string): void {
  try {
    write(db, (tx) => {
      if (readSetting(tx, leaseOf(name), leaseSchema)?.holder === holder) removeSetting(tx, leaseOf(name));
    });
  } catch (error) {
    report(`could not release the ${name} lease`, error);
  }
}

const leaseOf = (name: string) => `${name}-lease`;
