import type { Action } from "#local-cloud/host/state.ts";
import { regionView } from "./catalog.ts";
import { iso } from "./http.ts";

/** An action as the API shows it. */
export function actionView(action: Action) {
  return {
    id: action.id,
    status: action.status,
    type: action.type,
    started_at: iso(action.startedAt),
    completed_at: action.completedAt === null ? null : iso(action.completedAt),
    resource_id: action.resourceId,
    resource_type: action.resourceType,
    region: regionView(action.region),
    region_slug: action.region,
  };
}
