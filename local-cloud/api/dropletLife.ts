import type { Cloud } from "#local-cloud/context.ts";
import type { Droplet } from "#local-cloud/host/state.ts";
import { type ApiContext, idParameter, notFound, unprocessable } from "./http.ts";

/** A droplet that exists, at once and without lag; 404 otherwise. */
export function wantedDroplet(cloud: Cloud, c: ApiContext): Droplet {
  const id = idParameter(c, "id");
  const droplet = cloud.store.state.droplets.find((one) => one.id === id && one.deletedAt === null);
  if (droplet === undefined) throw notFound();
  return droplet;
}

/** Droplets as lists see them: new ones appear late, deleted ones linger. */
export function listedDroplets(cloud: Cloud): Droplet[] {
  const then = Date.now() - cloud.options.listLagMs;
  return cloud.store.state.droplets.filter(
    (droplet) => droplet.createdAt <= then && (droplet.deletedAt === null || droplet.deletedAt > then),
  );
}

/**
 * Deletes a droplet: gone for GET at once, for lists later; process and folder follow.
 * Throws 422 while an action runs on it, except its own creation.
 */
export async function destroyDroplet(cloud: Cloud, droplet: Droplet): Promise<void> {
  const { store, actions, machines, options } = cloud;
  const pending = actions.pending("droplet", droplet.id);
  if (pending !== undefined && pending.type !== "create") {
    throw unprocessable("Droplet already has a pending event.");
  }
  if (pending !== undefined) {
    pending.status = "errored";
    pending.completedAt = Date.now();
  }
  droplet.deletedAt = Date.now();
  actions.record({
    type: "destroy",
    resourceId: droplet.id,
    resourceType: "droplet",
    region: droplet.region,
    parameters: {},
    fault: false,
  });
  await store.save();
  void machines
    .remove(droplet.id)
    .catch((error: unknown) => console.error(`Droplet ${droplet.id} left files behind:`, error));
  setTimeout(() => forgetDeleted(cloud), options.listLagMs + 100).unref();
}

/** Deleted droplets are needed as long as a list may still show them. */
function forgetDeleted(cloud: Cloud): void {
  const { state } = cloud.store;
  const then = Date.now() - cloud.options.listLagMs;
  state.droplets = state.droplets.filter((one) => one.deletedAt === null || one.deletedAt > then);
}
