/** Imports point one way: app → server → db, operations → providers, never back. */
const forbid = (name, comment, from, to) => ({ name, comment, severity: "error", from: { path: from }, to: { path: to } });

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    forbid("app-has-no-database", "What people see asks the server.", "^app/", "^(db|local-cloud|start|bench)/"),
    forbid("app-has-no-providers", "What people see asks the server.", "^app/", "^server/(providers|worker|engine)"),
    forbid("server-knows-no-page", "The server never imports what people see.", "^server/", "^(app|local-cloud|start|bench|e2e)/"),
    forbid("db-has-no-rules", "The database knows tables and nothing else.", "^db/", "^(app|server|local-cloud|start)/"),
    forbid(
      "providers-know-no-operations",
      "Providers speak with the outside; they know neither database nor operations.",
      "^server/providers/",
      "^(db/|server/(?!providers/))",
    ),
    forbid("local-cloud-stands-alone", "It is the outside world.", "^local-cloud/", "^(app|server|db|start)/"),
    { name: "no-circles", severity: "error", from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } } },
  ],
  options: { tsPreCompilationDeps: true, tsConfig: { fileName: "tsconfig.json" }, doNotFollow: { path: "node_modules" } },
};
