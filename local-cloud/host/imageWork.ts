import type { Cloud } from "#local-cloud/context.ts";
import type { Action } from "./state.ts";
import { ActionFailed, waitUntil } from "./work.ts";

/** Does what an action on an image promises: `transfer` to a region; `convert` changes nothing here. */
export async function imageWork(cloud: Cloud, action: Action): Promise<void> {
  await waitUntil(cloud, action.startedAt + cloud.options.actionMs);
  const image = cloud.store.state.images.find((candidate) => candidate.id === action.resourceId);
  if (action.fault || image === undefined) throw new ActionFailed("The image is gone, or it was to fail.");
  const { region } = action.parameters;
  if (action.type === "transfer" && region !== undefined && !image.regions.includes(region)) {
    image.regions.push(region);
  }
  await cloud.store.save();
}
