import { z } from "zod";
import { ProviderError } from "../errors.ts";
import type { Requester } from "./request.ts";
import { recordAnswer, recordList } from "./schemas.ts";

/** Seconds a resolver may keep an instance's address: short, so that a move is quick. */
const ttl = 60;

/**
 * DNS at DigitalOcean; `domains` are the zones that are known to exist. Lists answer relative names; DigitalOcean keeps
 * equal records, so everything finds before it adds.
 */
export function createDns(api: Requester, domains: Set<string>) {
  async function findRecords(domain: string, name: string, type: "A" | "CNAME" = "A") {
    const fullName = name === "@" ? domain : `${name}.${domain}`;
    const path = `domains/${domain}/records?type=${type}&name=${fullName}&per_page=200`;
    return (await api.find({ method: "GET", path }, recordList))?.domain_records ?? [];
  }

  return {
    findRecords,

    /** The zone itself; looked up once in a process' life. */
    async ensureDomain(domain: string): Promise<void> {
      if (domains.has(domain)) return;
      const known = await api.find({ method: "GET", path: `domains/${domain}` }, z.unknown());
      if (known === undefined) {
        try {
          await api.ask({ method: "POST", path: "domains", body: { name: domain } }, z.unknown());
        } catch (error) {
          const made = await api.find({ method: "GET", path: `domains/${domain}` }, z.unknown());
          if (made === undefined) throw error;
        }
      }
      domains.add(domain);
    },

    /** Points the name at the address: one record, corrected when it points elsewhere, its doubles removed. */
    async ensureARecord({
      domain,
      name,
      address,
    }: {
      domain: string;
      name: string;
      address: string;
    }): Promise<{ id: number }> {
      const [first, ...doubles] = (await findRecords(domain, name)).sort(
        (a, b) => Number(b.data === address) - Number(a.data === address) || a.id - b.id,
      );
      for (const double of doubles)
        if (double.data === address)
          await api.tell({ method: "DELETE", path: `domains/${domain}/records/${double.id}` });
      if (first === undefined) {
        const body = { type: "A", name, data: address, ttl };
        const call = { method: "POST", path: `domains/${domain}/records`, body } as const;
        try {
          return (await api.ask(call, recordAnswer)).domain_record;
        } catch (error) {
          if (error instanceof ProviderError && /404/.test(error.detail)) domains.delete(domain);
          throw error;
        }
      }
      if (first.data !== address) {
        const body = { type: "A", name, data: address, ttl };
        await api.ask({ method: "PUT", path: `domains/${domain}/records/${first.id}`, body }, recordAnswer);
      }
      return { id: first.id };
    },

    /** Removes the name's records, but only those that point at the address. Returns how many there were. */
    async removeARecords({
      domain,
      name,
      address,
    }: {
      domain: string;
      name: string;
      address: string;
    }): Promise<number> {
      const ours = (await findRecords(domain, name)).filter((record) => record.data === address);
      for (const record of ours)
        await api.tell({ method: "DELETE", path: `domains/${domain}/records/${record.id}` });
      return ours.length;
    },
  };
}
