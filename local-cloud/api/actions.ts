import { Hono } from "hono";
import type { Cloud } from "#local-cloud/context.ts";
import { dropletWork } from "#local-cloud/host/dropletWork.ts";
import { imageWork } from "#local-cloud/host/imageWork.ts";
import type { Action } from "#local-cloud/host/state.ts";
import { ActionFailed } from "#local-cloud/host/work.ts";
import { actionView } from "./actionView.ts";
import { type Env, idParameter, notFound, page } from "./http.ts";

export type ActionRequest = Pick<
  Action,
  "type" | "resourceId" | "resourceType" | "region" | "parameters" | "fault"
>;

export type ActionEngine = {
  /** Writes the action down, then lets it happen. Resolves as soon as it is safe on disk. */
  begin(request: ActionRequest): Promise<Action>;
  /** Writes down something that has happened already. */
  record(request: ActionRequest): Action;
  pending(resourceType: Action["resourceType"], resourceId: number): Action | undefined;
  /** Carries on with everything a predecessor left unfinished. */
  resume(): void;
  /** Resolves when nothing moves any more (after the cloud's closing signal). */
  settled(): Promise<void>;
};

export function createActionEngine(cloud: () => Cloud): ActionEngine {
  const moving = new Set<Promise<void>>();

  function write(request: ActionRequest): Action {
    const { store } = cloud();
    const action: Action = {
      ...request,
      id: store.newId(),
      status: "in-progress",
      startedAt: Date.now(),
      completedAt: null,
    };
    store.state.actions.push(action);
    return action;
  }

  async function perform(action: Action): Promise<void> {
    const { closing, store } = cloud();
    try {
      if (action.resourceType === "droplet") await dropletWork(cloud(), action);
      else await imageWork(cloud(), action);
      action.status = "completed";
    } catch (error) {
      if (closing.aborted) return;
      if (!(error instanceof ActionFailed)) console.error(`Action ${action.id} (${action.type}):`, error);
      action.status = "errored";
    }
    action.completedAt = Date.now();
    await store.save();
  }

  function move(action: Action): void {
    const run = perform(action)
      .catch((error: unknown) => console.error(`Action ${action.id} could not be written down:`, error))
      .finally(() => moving.delete(run));
    moving.add(run);
  }

  return {
    async begin(request) {
      const action = write(request);
      await cloud().store.save();
      move(action);
      return action;
    },
    record(request) {
      const action = write(request);
      action.status = "completed";
      action.completedAt = action.startedAt;
      return action;
    },
    pending: (resourceType, resourceId) =>
      cloud().store.state.actions.findLast(
        (action) =>
          action.status === "in-progress" &&
          action.resourceId === resourceId &&
          action.resourceType === resourceType,
      ),
    resume() {
      for (const action of cloud().store.state.actions) if (action.status === "in-progress") move(action);
    },
    async settled() {
      await Promise.allSettled([...moving]);
    },
  };
}

/** `/v2/actions`: everything that happened to droplets and images, newest first. */
export function actionRoutes(cloud: Cloud): Hono<Env> {
  const app = new Hono<Env>();
  app.get("/actions", (c) => c.json(page(c, "actions", cloud.store.state.actions.toReversed(), actionView)));
  app.get("/actions/:id", (c) => {
    const id = idParameter(c, "id");
    const action = cloud.store.state.actions.find((candidate) => candidate.id === id);
    if (action === undefined) throw notFound();
    return c.json({ action: actionView(action) });
  });
  return app;
}
