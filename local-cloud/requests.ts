/** How often each operation was asked for, for benchmarks and tests. */
export type RequestCounts = {
  count(method: string, path: string): void;
  read(): { total: number; counts: Record<string, number> };
  reset(): void;
};

export function createRequestCounts(): RequestCounts {
  let counts = new Map<string, number>();
  return {
    count(method, path) {
      const key = `${method} ${pathTemplate(path)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    read() {
      const entries = [...counts].sort(([a], [b]) => a.localeCompare(b));
      return { total: entries.reduce((sum, [, n]) => sum + n, 0), counts: Object.fromEntries(entries) };
    },
    reset() {
      counts = new Map();
    },
  };
}

const named: readonly (readonly [RegExp, string])[] = [
  [/^\/v2\/account\/keys\/[^/]+/, "/v2/account/keys/{key}"],
  [/^\/v2\/domains\/[^/]+/, "/v2/domains/{domain}"],
  [/^\/v2\/tags\/[^/]+/, "/v2/tags/{tag}"],
  [/^\/v2\/projects\/[^/]+/, "/v2/projects/{project}"],
  [/^\/v2\/images\/[^/]+/, "/v2/images/{id}"],
];

/** `/v2/droplets/12/actions/9/` becomes `/v2/droplets/{id}/actions/{id}`. */
export function pathTemplate(path: string): string {
  let template = path.replace(/\/+$/, "");
  for (const [pattern, replacement] of named) template = template.replace(pattern, replacement);
  return template.replace(/\/\d+(?=\/|$)/g, "/{id}") || "/";
}
