import { createHmac, type KeyObject } from "node:crypto";
import { eq } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { instances, operations } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";

export type Begun = { instanceId: string; slug: string; operationId: string };
type Asked = { idempotencyKey: string };

/** A digest of what was asked for. Keyed, because secret variables are part of it. */
export const digestOf = (key: KeyObject, asked: Asked): string =>
  createHmac("sha256", key).update(JSON.stringify(asked)).digest("base64url");

const firstWith = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({
      instanceId: instances.id,
      slug: instances.slug,
      operationId: operations.id,
      digest: instances.idempotencyDigest,
    })
    .from(instances)
    .innerJoin(operations, eq(operations.instanceId, instances.id))
    .where(eq(instances.idempotencyKey, given("idempotencyKey")))
    .orderBy(operations.sequence)
    .limit(1)
    .prepare(),
);

/**
 * What a press that makes an instance has begun already: the same key with the same wish has the same answer. Undefined
 * when the key is new; throws a CommandError when it was used for another wish.
 */
export function begunBefore(tx: Pick<Tx, "select">, key: KeyObject, asked: Asked): Begun | undefined {
  const found = firstWith(tx).get({ idempotencyKey: asked.idempotencyKey });
  if (found === undefined) return undefined;
  const { digest, ...begun } = found;
  // Rows from before digests were kept answer as they always did.
  if (digest !== null && digest !== digestOf(key, asked))
    throw new CommandError(
      "conflict",
      `This form already started ${begun.slug} with different details. Open a new form to spawn another instance.`,
    );
  return begun;
}
