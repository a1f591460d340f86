import { z } from "zod";
import type { Requester } from "./request.ts";
import { recordList, snapshotAnswer, sshKeyList } from "./schemas.ts";

export type Snapshot = {
  id: number;
  name: string;
  sizeGb: number;
  /** Unix ms: when its taking began. */
  createdAt: number;
};
/** `name` is relative to its domain, "@" for the domain itself. */
export type ARecord = { id: number; name: string; data: string };

type Pages = { links?: { pages?: { next?: string | undefined } | undefined } | undefined };

/** A public key without its comment: "ssh-ed25519 AAAA…". */
export const withoutComment = (publicKey: string): string => publicKey.split(" ").slice(0, 2).join(" ");

/** What the account holds, as whole lists of 200 a page; and the few calls that put it in order. */
export function createInventory(api: Requester) {
  /** All pages; undefined when the list itself is not there. */
  async function all<Answer extends Pages, Item>(
    path: string,
    schema: z.ZodType<Answer>,
    itemsOf: (answer: Answer) => Item[],
  ): Promise<Item[] | undefined> {
    const found: Item[] = [];
    for (let page = 1; ; page += 1) {
      const query = `${path.includes("?") ? "&" : "?"}per_page=200&page=${page}`;
      const answer = await api.find({ method: "GET", path: path + query }, schema);
      if (answer === undefined) return undefined;
      found.push(...itemsOf(answer));
      if (answer.links?.pages?.next === undefined) return found;
    }
  }

  return {
    async findSnapshot(id: number): Promise<Snapshot | undefined> {
      const answer = await api.find({ method: "GET", path: `snapshots/${id}` }, snapshotAnswer);
      return answer === undefined ? undefined : toSnapshot(answer.snapshot);
    },

    /** Every A record of the domain, whoever made it; undefined when the account does not have the domain. */
    listARecords: (domain: string): Promise<ARecord[] | undefined> =>
      all(`domains/${domain}/records?type=A`, recordList, ({ domain_records }) =>
        domain_records.map(({ id, name, data }) => ({ id, name, data })),
      ),

    /** The public keys of the account, without their comments. */
    async listSshKeys(): Promise<string[]> {
      const path = "account/keys";
      const keys = await all(path, sshKeyList, (answer) => answer.ssh_keys);
      return (keys ?? []).map((key) => withoutComment(key.public_key));
    },

    /** Gives the droplet a tag that it may have already. A tag that somebody has deleted is made again. */
    async tagDroplet(id: number, tag: string): Promise<void> {
      const body = { resources: [{ resource_id: String(id), resource_type: "droplet" }] };
      const assign = { method: "POST", path: `tags/${tag}/resources`, body } as const;
      if (await api.tell(assign)) return;
      await api.ask({ method: "POST", path: "tags", body: { name: tag } }, z.unknown());
      await api.tell(assign);
    },
  };
}

export const toSnapshot = (answer: z.infer<typeof snapshotAnswer>["snapshot"]): Snapshot => ({
  id: answer.id,
  name: answer.name,
  sizeGb: answer.size_gigabytes,
  createdAt: Date.parse(answer.created_at),
});
