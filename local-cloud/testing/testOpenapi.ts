import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { z } from "zod";

const documentFile =
  process.env.DIGITALOCEAN_OPENAPI ??
  path.resolve(import.meta.dirname, "../../../shared/digitalocean/openapi.strict.json");

type CheckedResponse = {
  method: string;
  path: string;
  status: number;
  headers: Headers;
  body: unknown;
};
export type ResponseCheck = (response: CheckedResponse) => void;
type Operation = { id: string; method: string; path: string };
export type Openapi = {
  operations: Operation[];
  /** Throws when an answer is not what DigitalOcean's document says. Remembers `<operation> <status>`. */
  check: ResponseCheck;
  seen: Set<string>;
};

const operationSchema = z.object({
  operationId: z.string(),
  responses: z.record(z.string(), z.object({ $ref: z.string() })),
});
const responseSchema = z.object({
  content: z.record(z.string(), z.unknown()).optional(),
  headers: z.record(z.string(), z.unknown()).optional(),
});
const methods = ["get", "post", "put", "patch", "delete"];

/** DigitalOcean's OpenAPI document as a judge, or why there is none. */
export function loadOpenapi(): Openapi | { missing: string } {
  if (!existsSync(documentFile)) {
    return {
      missing: `DigitalOcean's OpenAPI document is not at ${documentFile}: set DIGITALOCEAN_OPENAPI to where it is.`,
    };
  }
  const document = z
    .looseObject({
      paths: z.record(z.string(), z.record(z.string(), z.unknown())),
      components: z.looseObject({ responses: z.record(z.string(), responseSchema) }),
    })
    .parse(JSON.parse(readFileSync(documentFile, "utf8")));
  const ajv = new Ajv({ strict: false, allErrors: true });
  // ajv-formats is CommonJS: its function sits on the default of the default under NodeNext-like loaders.
  addFormats.default(ajv);
  ajv.addSchema(document, "digitalocean");
  const compiled = new Map<string, ValidateFunction>();
  const validator = (response: string): ValidateFunction => {
    const known = compiled.get(response);
    if (known !== undefined) return known;
    const $ref = `digitalocean#/components/responses/${response}/content/application~1json/schema`;
    const made = ajv.compile({ $ref });
    compiled.set(response, made);
    return made;
  };

  const table = Object.entries(document.paths).flatMap(([template, item]) =>
    Object.entries(item)
      .filter(([method]) => methods.includes(method))
      .map(([method, operation]) => {
        const parsed = operationSchema.parse(operation);
        const pattern = new RegExp(`^${template.replace(/\{[^}]+\}/g, "[^/]+")}$`);
        return { id: parsed.operationId, method: method.toUpperCase(), path: template, pattern, ...parsed };
      }),
  );
  const seen = new Set<string>();

  return {
    operations: table.map(({ id, method, path: template }) => ({ id, method, path: template })),
    seen,
    check({ method, path: requested, status, headers, body }) {
      const pathname = requested.replace(/\?.*$/, "").replace(/\/+$/, "");
      // A literal path wins over a template: /v2/droplets/actions is no droplet.
      const operation = table
        .filter((candidate) => candidate.method === method && candidate.pattern.test(pathname))
        .sort((a, b) => a.path.split("{").length - b.path.split("{").length)[0];
      if (operation === undefined) throw new Error(`${method} ${pathname} is not in the document.`);
      const where = `${operation.id} ${status}`;
      const reference = (operation.responses[String(status)] ?? operation.responses.default)?.$ref;
      if (status < 400 && operation.responses[String(status)] === undefined) {
        throw new Error(`${where}: the document knows no such success.`);
      }
      const name = reference?.split("/").at(-1) ?? "";
      const response = document.components.responses[name];
      for (const header of Object.keys(response?.headers ?? {})) {
        if (header.startsWith("ratelimit-") && !headers.has(header))
          throw new Error(`${where}: no ${header}.`);
      }
      seen.add(where);
      if (response?.content === undefined) {
        if (body !== undefined) throw new Error(`${where}: the document wants no body.`);
        return;
      }
      const validate = validator(name);
      if (!validate(body)) {
        throw new Error(
          `${where}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(body, undefined, 1).slice(0, 3000)}`,
        );
      }
    },
  };
}
