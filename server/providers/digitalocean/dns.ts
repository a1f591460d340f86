import { z } from "zod";
import { ProviderError } from "#server/providers/errors.ts";
import { readSettled } from "./pages.ts";
import type { Requester } from "./request.ts";
import { recordAnswer, recordList } from "./schemas.ts";

/** Seconds a resolver may keep an instance's address: short, so that a move is quick. */
const ttl = 60;

/** A record at DigitalOcean; `name` is relative to its domain. */
export type FoundRecord = { id: number; type: string; name: string; data: string };

/** What decides where a name leads: another one of these beside ours would lead people astray, or be refused. */
const leading: ReadonlySet<string> = new Set(["A", "AAAA", "CNAME"]);

/**
 * DNS at DigitalOcean; `domains` are the zones that are known to exist. It keeps equal records and knows no owners:
 * whoever adds, changes or removes one looks first.
 */
export function createDns(api: Requester, domains: Set<string>) {
  const body = (name: string, address: string) => ({ type: "A", name, data: address, ttl });

  return {
    /**
     * The records that decide where a name leads, each of them once; none when the domain is not known there. What is
     * removed, and whether one is made, is decided by them: a list that tells one twice or lacks one is read again.
     */
    async findRecords(domain: string, name: string, signal?: AbortSignal): Promise<FoundRecord[]> {
      const fullName = name === "@" ? domain : `${name}.${domain}`;
      const asker = signal === undefined ? api : api.for({ signal, mayAct: () => {} });
      const found = await readSettled(async (page) => {
        const path = `domains/${domain}/records?name=${fullName}&per_page=200&page=${page}`;
        const { domain_records: entries = [], ...rest } =
          (await asker.find({ method: "GET", path }, recordList)) ?? {};
        return { entries, ...rest };
      });
      return found.filter((record) => leading.has(record.type));
    },

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

    /** Exactly one POST. An error with `unclear` may have made the record all the same. */
    async createARecord(domain: string, name: string, address: string): Promise<{ id: number }> {
      const path = `domains/${domain}/records`;
      try {
        const call = { method: "POST", path, body: body(name, address) } as const;
        return (await api.ask(call, recordAnswer)).domain_record;
      } catch (error) {
        if (error instanceof ProviderError && error.code === "not-found") domains.delete(domain);
        throw error;
      }
    },

    /** Points an A record at another address. */
    async changeARecord(domain: string, id: number, name: string, address: string): Promise<void> {
      const path = `domains/${domain}/records/${id}`;
      await api.ask({ method: "PUT", path, body: body(name, address) }, recordAnswer);
    },

    /** False when it was gone already. */
    removeRecord: (domain: string, id: number): Promise<boolean> =>
      api.tell({ method: "DELETE", path: `domains/${domain}/records/${id}` }),
  };
}
