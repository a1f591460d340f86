import { setTimeout as delay } from "node:timers/promises";
import type { Cloud } from "#local-cloud/context.ts";

/** An action that cannot succeed: ends as errored, without noise. */
export class ActionFailed extends Error {}

/** Waits until a moment (epoch ms); rejects when the cloud closes. */
export async function waitUntil(cloud: Cloud, moment: number): Promise<void> {
  await delay(Math.max(0, moment - Date.now()), undefined, { signal: cloud.closing });
}
