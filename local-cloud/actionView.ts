import { regionView } from "./catalog.ts";
import { iso } from "./http.ts";
import type { Action } from "./state.ts";

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
