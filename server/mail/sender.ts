import { and, asc, eq, isNull, lte } from "drizzle-orm";
import { type Db, type Tx, write } from "#db/client.ts";
import { given, prepared, setTo } from "#db/prepared.ts";
import { instances, mail, operations } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";
import { orphanAbout } from "#server/drift/listOrphans.ts";
import { staleness } from "#server/instances/backupPlan.ts";
import { aftermathOf } from "#server/operations/engine/aftermath.ts";
import { tookMs } from "#server/operations/engine/durations.ts";
import { stepsOf } from "#server/operations/engine/outcome.ts";
import { lastGoodBackups } from "#server/operations/goodBackups.ts";
import { registry } from "#server/operations/registry.ts";
import { isProviderError } from "#server/providers/errors.ts";
import { type Mailer, outboxId } from "#server/providers/mail/mail.ts";
import { repeat } from "#server/repeat.ts";
import { report } from "#server/report.ts";
import { withTimeLimit } from "#server/timeLimit.ts";
import { noteOutboxMail } from "./outbox.ts";
import type { FailedMail } from "./templates/failed.tsx";
import type { OrphanMail } from "./templates/orphan.tsx";
import type { ReadyMail } from "./templates/ready.tsx";
import type { StaleMail } from "./templates/stale.tsx";

/** A mail as it is sent. */
export type Rendered = { subject: string; html: string; text: string };
/** How the Spawner's mails read. */
export type Templates = {
  ready: (mail: ReadyMail) => Promise<Rendered>;
  failed: (mail: FailedMail) => Promise<Rendered>;
  stale: (mail: StaleMail) => Promise<Rendered>;
  orphan: (mail: OrphanMail) => Promise<Rendered>;
};

/** What the sender of the outbox works with. */
export type Mailbox = Pick<Clock, "now" | "monotonic" | "after"> & {
  db: Db;
  mailer: Mailer;
  templates: Templates;
  urlOf: (at: { slug: string; domain: string }) => string;
  dashboardUrl: string;
};
type Row = typeof mail.$inferSelect;

const hourMs = 3_600_000;
const sendEveryMs = 2000;
/** How long one mail may take: to be rendered, and to be answered by the provider. */
const sendWithinMs = 30_000;
/** Longer than rendering and sending may take together: whoever has not said by then how it went is dead. */
const leaseMs = 90_000;
/** A mail that can't be taken at the moment is worth four days; one that is refused is worth an afternoon. */
const tries = { passing: 100, refused: 6 };

/** Sends what the outbox holds, one mail after the other, soon after it was written. */
export function keepSendingMail(mailbox: Mailbox): { stop: () => void } {
  return repeat(mailbox, sendEveryMs, "could not read the outgoing mail", () => sendDueMail(mailbox));
}

/** Sends all mail that is due. Several workers may do so at once: each mail is claimed by one of them. */
export async function sendDueMail(mailbox: Mailbox): Promise<void> {
  for (let row = claimNext(mailbox); row !== undefined; row = claimNext(mailbox)) await deliver(mailbox, row);
}

const queries = prepared((tx: Pick<Tx, "select" | "update">) => {
  const isThis = eq(mail.id, given("id"));
  return {
    due: tx
      .select()
      .from(mail)
      .where(and(isNull(mail.sentAt), isNull(mail.abandonedAt), lte(mail.dueAt, given("now"))))
      .orderBy(asc(mail.dueAt), asc(mail.createdMonotonic))
      .limit(1)
      .prepare(),
    claim: tx
      .update(mail)
      .set({ attempts: setTo("attempts"), dueAt: setTo("dueAt"), unclearSince: setTo("unclearSince") })
      .where(isThis)
      .prepare(),
    abandon: tx
      .update(mail)
      .set({ abandonedAt: setTo("at"), failure: setTo("failure") })
      .where(isThis)
      .prepare(),
    noteSent: tx
      .update(mail)
      .set({ sentAt: setTo("at"), providerId: setTo("providerId"), failure: null, abandonedAt: null })
      .where(isThis)
      .prepare(),
    keepContent: tx
      .update(mail)
      .set({ subject: setTo("subject"), html: setTo("html"), text: setTo("text") })
      .where(and(isThis, eq(mail.attempts, given("attempts")), isNull(mail.sentAt)))
      .prepare(),
    operation: tx
      .select({ operation: operations, instance: instances })
      .from(operations)
      .innerJoin(instances, eq(instances.id, operations.instanceId))
      .where(eq(operations.id, given("id")))
      .prepare(),
  };
});

/** The next mail, for this sender alone until its lease is over; it counts as handed over from here on. */
function claimNext(mailbox: Mailbox): Row | undefined {
  return write(mailbox.db, (tx) => {
    for (;;) {
      const now = mailbox.monotonic();
      const row = queries(tx).due.get({ now });
      if (row === undefined) return undefined;
      const unclearMs = row.unclearSince === null ? 0 : now - row.unclearSince;
      const { id } = row;
      if (unclearMs > mailbox.mailer.idempotentForMs) {
        queries(tx).abandon.run({ id, at: mailbox.now(), failure: mayHaveArrived });
        continue;
      }
      const claimed = { attempts: row.attempts + 1, dueAt: now + leaseMs };
      queries(tx).claim.run({ id, ...claimed, unclearSince: row.unclearSince ?? now });
      // What it was before is kept: a clear refusal puts it back.
      return { ...row, ...claimed };
    }
  });
}

const mayHaveArrived =
  "We didn't get the provider's response, so this email may have been delivered. We won't send it again, to avoid a duplicate.";

async function deliver(mailbox: Mailbox, row: Row): Promise<void> {
  const { db, mailer } = mailbox;
  let isHandedOver = false;
  try {
    const { subject, html, text } = await contentOf(mailbox, row);
    // One that was suspended may not be done before its lease ends, and another sender begins.
    if (mailbox.monotonic() + sendWithinMs > row.dueAt) return;
    isHandedOver = true;
    const { id } = await withTimeLimit(mailbox, sendWithinMs, (signal) =>
      mailer.send({ to: row.recipient, subject, html, text, idempotencyKey: row.id }, signal),
    );
    const at = mailbox.now();
    write(db, (tx) => {
      queries(tx).noteSent.run({ id: row.id, at, providerId: id });
      if (id === outboxId) noteOutboxMail(tx, at);
    });
  } catch (error) {
    noteFault(mailbox, row, error, isHandedOver);
  }
}

/** The row, unless it has been claimed again since, or sent. */
const stillClaimed = (row: Row) =>
  and(eq(mail.id, row.id), eq(mail.attempts, row.attempts), isNull(mail.sentAt));

/** Plans the next try of a mail that could not be sent, or gives up on it. */
function noteFault(mailbox: Mailbox, row: Row, error: unknown, isHandedOver: boolean): void {
  const known = isProviderError(error) ? error : undefined;
  const isUnclear = isHandedOver && (known?.unclear ?? true);
  const isRefused = known !== undefined && !known.retryable;
  const isOver = row.attempts >= (isRefused ? tries.refused : tries.passing);
  const pauseMs = isRefused ? 60_000 * 4 ** (row.attempts - 1) : 5000 * 2 ** row.attempts;
  mailbox.db
    .update(mail)
    .set({
      failure: known?.userMessage ?? (error instanceof Error ? error.message : String(error)),
      dueAt: mailbox.monotonic() + Math.min(isRefused ? 6 * hourMs : hourMs, pauseMs),
      ...(isUnclear ? {} : { unclearSince: row.unclearSince }),
      ...(isOver ? { abandonedAt: mailbox.now() } : {}),
    })
    .where(stillClaimed(row))
    .run();
  if (row.attempts === 1 || isOver)
    report(`could not send the mail about ${row.operationId ?? row.instanceId}`, error);
}

/** What was rendered once is sent as it was: an idempotency key allows no second wording. */
async function contentOf(mailbox: Mailbox, row: Row): Promise<Rendered> {
  if (row.subject !== "") return row;
  const { subject, html, text } = await withTimeLimit(mailbox, sendWithinMs, () =>
    row.operationId === null
      ? renderAboutInstance(mailbox, row)
      : renderAboutOperation(mailbox, row, row.operationId),
  );
  queries(mailbox.db).keepContent.run({ id: row.id, attempts: row.attempts, subject, html, text });
  return { subject, html, text };
}

function renderAboutInstance({ db, dashboardUrl, now, templates }: Mailbox, row: Row): Promise<Rendered> {
  const instance = db
    .select()
    .from(instances)
    .where(eq(instances.id, row.instanceId ?? ""))
    .get();
  if (instance === undefined) throw new Error(`There is no instance ${row.instanceId} to write about.`);
  const { company, slug, backupPlan, createdAt } = instance;
  if (row.kind === "drift")
    return templates.orphan({
      ...orphanAbout(db, instance.id, row.round),
      company,
      dashboardUrl: `${dashboardUrl}/drift`,
    });
  const lastGoodAt = lastGoodBackups(db, [instance.id]).get(instance.id) ?? null;
  return templates.stale({
    company,
    userMessage:
      staleness(backupPlan, { lastGoodAt, createdAt, now: now() }) ??
      "Its newest good backup was older than scheduled. There's a new one now.",
    dashboardUrl: `${dashboardUrl}/instances/${slug}?tab=backups`,
  });
}

function renderAboutOperation(
  { db, urlOf, dashboardUrl, templates }: Mailbox,
  row: Row,
  operationId: string,
): Promise<Rendered> {
  const found = queries(db).operation.get({ id: operationId });
  if (found === undefined) throw new Error(`There is no operation ${operationId} to write about.`);
  const { operation, instance } = found;
  const pageUrl = `${dashboardUrl}/instances/${instance.slug}?operation=${operation.id}`;
  if (row.kind === "ready")
    return templates.ready({
      company: instance.company,
      url: urlOf(instance),
      dashboardUrl: pageUrl,
      tookMs: tookMs(db, operationId, row.createdMonotonic),
      priceMonthlyCents: instance.priceMonthlyCents,
      version: instance.version,
    });
  return templates.failed({
    company: instance.company,
    operation: registry[operation.kind].label,
    userMessage: operation.failure?.userMessage ?? "It failed, but has been retried since.",
    aftermath: aftermathOf(registry[operation.kind], operation, instance, stepsOf(db, operation.id)),
    dashboardUrl: pageUrl,
  });
}
