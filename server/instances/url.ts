import type { Env } from "#server/env.ts";

/** The public address of an instance, without a slash at its end. */
export function instanceUrl(
  env: Pick<Env, "isLocal" | "edgePort">,
  { slug, domain }: { slug: string; domain: string },
) {
  return env.isLocal ? `http://${slug}.${domain}:${env.edgePort}` : `https://${slug}.${domain}`;
}
