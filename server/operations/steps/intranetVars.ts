import type { StepContext, Variable } from "#server/operations/engine/define.ts";
import type { JsonValue } from "#server/providers/playbooks/playbooks.ts";

type Changes = {
  company?: string;
  contactEmail?: string;
  url?: string;
  slug?: string;
  version?: string;
  variables?: readonly Variable[];
  redirectFrom?: string[];
};

/** What the playbooks are told about an intranet; `changes` is what differs from how it is now. */
export function intranetVars<Facts>(
  context: StepContext<Facts>,
  changes: Changes = {},
): Record<string, JsonValue> {
  const { instance, site } = context;
  const variables = changes.variables ?? context.variables;
  const redirects = context.aliases
    .filter((alias) => alias.role === "redirect")
    .map((alias) => `${alias.slug}.${alias.domain}`);
  return {
    company: changes.company ?? instance.company,
    slug: changes.slug ?? instance.slug,
    url: changes.url ?? context.url,
    version: changes.version ?? instance.version,
    runtime: site.runtime,
    releases_url: site.releasesUrl,
    web_port: site.webPort,
    contact_email: changes.contactEmail ?? instance.contactEmail,
    redirect_from: changes.redirectFrom ?? redirects,
    environment_variables: Object.fromEntries(variables.map(({ name, value }) => [name, value])),
    ...(site.runtime === "server" ? { image: site.image } : {}),
  };
}
