import { and, eq } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { aliases, instances } from "#db/schema.ts";
import { operationViews } from "#server/operations/queries.ts";
import { registry } from "#server/operations/registry.ts";
import { newestOperation } from "#server/operations/startOperation.ts";
import type { OperationView } from "./views.ts";

/** What is under way with an intranet, in what anybody may know. */
export type Arrival = { company: string; doing: string; operation: OperationView };

/** What a visitor of this host is told while its intranet is not there; undefined when nothing is under way there. */
export function arrivalAt(tx: Tx, host: string): Arrival | undefined {
  const found = findByHost(tx, host);
  if (found === undefined) return undefined;
  const newest = newestOperation(tx, found.id);
  const operation = newest === undefined ? undefined : operationViews(tx, [newest])[0];
  const doing = operation === undefined ? undefined : registry[operation.kind].visitorStatus;
  if (operation === undefined || doing === undefined) return undefined;
  if (operation.state !== "running" && operation.state !== "failed") return undefined;
  return { company: found.company, doing, operation };
}

function findByHost(tx: Tx, host: string): { id: string; company: string } | undefined {
  const dot = host.indexOf(".");
  const [slug, domain] = [host.slice(0, dot), host.slice(dot + 1)];
  const shown = { id: instances.id, company: instances.company };
  const own = tx
    .select({ ...shown, destroyedAt: instances.destroyedAt })
    .from(instances)
    .where(and(eq(instances.slug, slug), eq(instances.domain, domain)))
    .all()
    .find((row) => row.destroyedAt === null);
  return (
    own ??
    tx
      .select(shown)
      .from(aliases)
      .innerJoin(instances, eq(instances.id, aliases.instanceId))
      .where(and(eq(aliases.slug, slug), eq(aliases.domain, domain)))
      .get()
  );
}
