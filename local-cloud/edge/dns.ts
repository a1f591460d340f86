import { fullName } from "#local-cloud/api/records.ts";
import type { State } from "#local-cloud/host/state.ts";

/**
 * The A records of a name, as the local DNS answers them: exact names before `*`, CNAMEs followed
 * inside the cloud's own domains. Nobody else's DNS is asked.
 */
export function resolve(state: State, name: string, hops = 0): string[] {
  if (hops > 8) return [];
  const wanted = name.toLowerCase().replace(/\.$/, "");
  const domain = state.domains
    .filter((candidate) => wanted === candidate.name || wanted.endsWith(`.${candidate.name}`))
    .sort((a, b) => b.name.length - a.name.length)[0];
  if (domain === undefined) return [];
  const named = (full: string) => domain.records.filter((record) => fullName(record, domain.name) === full);
  let records = named(wanted);
  let rest = wanted;
  while (records.length === 0 && rest.length > domain.name.length) {
    rest = rest.slice(rest.indexOf(".") + 1);
    records = named(`*.${rest}`);
  }
  const alias = records.find((record) => record.type === "CNAME");
  if (alias !== undefined) return resolve(state, alias.data, hops + 1);
  return records.filter((record) => record.type === "A").map((record) => record.data);
}
