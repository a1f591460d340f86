import { and, count, desc, eq, gt, isNotNull } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { instances, type MailKind, mail, operations, users } from "#db/schema.ts";
import { readSetting, writeSetting } from "#db/settings.ts";
import { spawnerItself } from "#server/api/views.ts";
import type { Clock } from "#server/clock.ts";
import { newId } from "#server/ids.ts";
import { outboxId } from "#server/providers/mail/mail.ts";

/** Mail is written here, in the transaction of what it reports, and sent by the one sender: see sender.ts. */

type Operation = typeof operations.$inferSelect;
type Instance = typeof instances.$inferSelect;
type MailClock = Pick<Clock, "now" | "monotonic">;

/** Less than a day, so that a nightly backup that fails night after night says so each time. */
const quietMs = 20 * 3_600_000;

/** "Ready", with the link: once in an operation's life. */
export function addReadyMail(tx: Tx, clock: MailClock, operationId: string): void {
  const operation = tx.select().from(operations).where(eq(operations.id, operationId)).get();
  if (operation === undefined) throw new Error(`There is no operation ${operationId} to write about.`);
  add(tx, clock, { operationId, kind: "ready", round: 0 }, recipientsOf(tx, operation));
}

/**
 * "Failed": once for each round of an operation. Of what the Spawner starts automatically, and might start again every
 * minute, only one a day is written for each instance and kind.
 */
export function addFailedMail(tx: Tx, clock: MailClock, operation: Operation): void {
  const isByItself = operation.createdBy === spawnerItself && operation.round === 0;
  if (isByItself && saidLately(tx, clock, operation)) return;
  const about = { operationId: operation.id, kind: "failed" as const, round: operation.round };
  add(tx, clock, about, recipientsOf(tx, operation));
}

/** "No recent backup": once for each time the newest good one, of `lastGoodAt` (Unix ms), becomes too old. */
export function addStaleMail(
  tx: Tx,
  clock: MailClock,
  { id, createdBy }: Pick<Instance, "id" | "createdBy">,
  lastGoodAt: number | null,
): void {
  add(tx, clock, { instanceId: id, kind: "stale", round: lastGoodAt ?? 0 }, peopleAmong(tx, [createdBy]));
}

/** "Costs money and isn't used by any instance": once for each orphan, by DigitalOcean's id. */
export function addOrphanMail(
  tx: Tx,
  clock: MailClock,
  { id, createdBy }: Pick<Instance, "id" | "createdBy">,
  orphanId: number,
): void {
  add(tx, clock, { instanceId: id, kind: "drift", round: orphanId }, peopleAmong(tx, [createdBy]));
}

const instanceWith = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select()
    .from(instances)
    .where(eq(instances.id, given("instanceId")))
    .prepare(),
);

/** Who is written to about an operation: who began it, else who made its instance, else everybody. */
function recipientsOf(
  tx: Pick<Tx, "select">,
  { createdBy, instanceId }: Pick<Operation, "createdBy" | "instanceId">,
): string[] {
  const instance = instanceWith(tx).get({ instanceId });
  return peopleAmong(tx, [createdBy, instance?.createdBy]);
}

const allPeople = prepared((tx: Pick<Tx, "select">) =>
  tx.select({ email: users.email }).from(users).orderBy(users.email).prepare(),
);

/** The first of these who may still sign in: the Spawner itself cannot, nor who has left. Everybody if none can. */
function peopleAmong(tx: Pick<Tx, "select">, candidates: readonly (string | undefined)[]): string[] {
  const people = allPeople(tx)
    .all()
    .map(({ email }) => email);
  const first = candidates.find((who) => who !== undefined && people.includes(who));
  return first === undefined ? people : [first];
}

/** Whether a failure of the same kind, which the Spawner began as well, has been told within a day. */
function saidLately(tx: Tx, clock: MailClock, { instanceId, kind }: Operation): boolean {
  const said = tx
    .select({ id: mail.id })
    .from(mail)
    .innerJoin(operations, eq(operations.id, mail.operationId))
    .where(
      and(
        eq(operations.instanceId, instanceId),
        eq(operations.kind, kind),
        eq(operations.createdBy, spawnerItself),
        eq(mail.kind, "failed"),
        gt(mail.createdMonotonic, clock.monotonic() - quietMs),
      ),
    )
    .get();
  return said !== undefined;
}

type About = { operationId?: string; instanceId?: string; kind: MailKind; round: number };

function add(tx: Tx, clock: MailClock, about: About, recipients: readonly string[]): void {
  const created = { createdAt: clock.now(), createdMonotonic: clock.monotonic(), dueAt: clock.monotonic() };
  for (const recipient of recipients)
    tx.insert(mail)
      .values({ id: newId(), ...about, recipient, ...created })
      .onConflictDoNothing()
      .run();
}

/** How many mails the sender gave up on since `since` (Unix ms), and why the last of them; undefined when none. */
export function abandonedMail(
  tx: Pick<Tx, "select">,
  since: number,
): { count: number; failure: string } | undefined {
  const abandoned = and(isNotNull(mail.abandonedAt), gt(mail.abandonedAt, since));
  const last = tx
    .select({ failure: mail.failure })
    .from(mail)
    .where(abandoned)
    .orderBy(desc(mail.abandonedAt))
    .get();
  if (last === undefined) return undefined;
  const all = tx.select({ count: count() }).from(mail).where(abandoned).get();
  return { count: all?.count ?? 0, failure: last.failure ?? "" };
}

const newestName = "outbox";
const newestSchema = z.object({ at: z.number() });

/** When the newest mail arrived in the outbox. It has a row of its own because every commit reads it. */
export const newestOutboxMail = (tx: Pick<Tx, "select">): number | undefined =>
  readSetting(tx, newestName, newestSchema)?.at;
export const noteOutboxMail = (tx: Pick<Tx, "insert">, at: number): void =>
  writeSetting(tx, newestName, { at });

/** The newest mails that were not sent but kept here, because there is no Resend key. */
export const outboxViews = (tx: Pick<Tx, "select">) =>
  tx
    .select()
    .from(mail)
    .where(and(eq(mail.providerId, outboxId), isNotNull(mail.sentAt)))
    .orderBy(desc(mail.sentAt))
    .limit(200)
    .all()
    .map(({ id, recipient, subject, html, text, sentAt }) => ({
      ...{ id, to: recipient, subject, html, text },
      at: sentAt ?? 0,
    }));
