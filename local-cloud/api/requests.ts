/** How often each operation was asked for, and how often each status was answered, for benchmarks and tests. */
export type RequestCounts = {
  count(method: string, path: string): void;
  countAnswer(status: number): void;
  read(): { total: number; counts: Record<string, number>; answers: Record<string, number> };
  reset(): void;
};

export function createRequestCounts(): RequestCounts {
  let counts = new Map<string, number>();
  let answers = new Map<number, number>();
  return {
    count(method, path) {
      const key = `${method} ${pathTemplate(path)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    countAnswer(status) {
      answers.set(status, (answers.get(status) ?? 0) + 1);
    },
    read() {
      const entries = [...counts].sort(([a], [b]) => a.localeCompare(b));
      return {
        total: entries.reduce((sum, [, n]) => sum + n, 0),
        counts: Object.fromEntries(entries),
        answers: Object.fromEntries(answers),
      };
    },
    reset() {
      counts = new Map();
      answers = new Map();
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
function pathTemplate(path: string): string {
  let template = path.replace(/\/+$/, "");
  for (const [pattern, replacement] of named) template = template.replace(pattern, replacement);
  return template.replace(/\/\d+(?=\/|$)/g, "/{id}") || "/";
}
