import { Hono } from "hono";
import { z } from "zod";
import type { Cloud } from "#local-cloud/context.ts";
import { type ApiContext, type Env, iso, notFound, page, parseInput, readBody } from "./http.ts";

const assignSchema = z.object({ resources: z.array(z.string()).nullish() });

type Resource = { urn: string; assignedAt: number; self: string };

/** `/v2/projects`: one default project that holds everything, and `/v2/firewalls`: none. */
export function projectRoutes(cloud: Cloud): Hono<Env> {
  const { state } = cloud.store;
  const app = new Hono<Env>();
  const resources = (): Resource[] => [
    ...state.droplets
      .filter((droplet) => droplet.deletedAt === null)
      .map(({ id, createdAt }) => ({
        urn: `do:droplet:${id}`,
        assignedAt: createdAt,
        self: `${cloud.apiUrl}/v2/droplets/${id}`,
      })),
    ...state.domains.map(({ name, createdAt }) => ({
      urn: `do:domain:${name}`,
      assignedAt: createdAt,
      self: `${cloud.apiUrl}/v2/domains/${name}`,
    })),
  ];
  const view = (status: string) => (resource: Resource) => ({
    urn: resource.urn,
    assigned_at: iso(resource.assignedAt),
    links: { self: resource.self },
    status,
  });
  const check = (c: ApiContext): void => {
    const id = c.req.param("project");
    if (id !== "default" && id !== state.projectUuid) throw notFound();
  };
  app.get("/projects", (c) => {
    const project = {
      id: state.projectUuid,
      owner_uuid: state.accountUuid,
      owner_id: 1,
      name: "local-cloud",
      description: "Everything on this machine",
      purpose: "Web Application",
      environment: "Development",
      created_at: iso(state.createdAt),
      updated_at: iso(state.createdAt),
      is_default: true,
    };
    return c.json(page(c, "projects", [project], (only) => only));
  });
  app.get("/projects/:project/resources", (c) => {
    check(c);
    return c.json(page(c, "resources", resources(), view("ok")));
  });
  app.post("/projects/:project/resources", async (c) => {
    check(c);
    const asked = parseInput(assignSchema, await readBody(c)).resources ?? [];
    const all = resources();
    const unknown = (urn: string): Resource => ({ urn, assignedAt: Date.now(), self: cloud.apiUrl });
    return c.json({
      resources: asked.map((urn) => {
        const known = all.find((resource) => resource.urn === urn);
        return known ? view("already_assigned")(known) : view("not_found")(unknown(urn));
      }),
    });
  });
  app.get("/firewalls", (c) => c.json(page(c, "firewalls", [], (none) => none)));
  return app;
}
