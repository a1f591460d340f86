import { and, eq, inArray, isNull, lte } from "drizzle-orm";
import { type Db, write } from "../db/client.ts";
import { instances, mail, operations } from "../db/schema.ts";
import { lastGoodBackups } from "./backups/queries.ts";
import { staleness } from "./backups/schedule.ts";
import type { Clock } from "./clock.ts";
import { orphanAbout } from "./drift/orphans.ts";
import { renderFailedMail, renderOrphanMail, renderReadyMail, renderStaleMail } from "./emails/render.tsx";
import { newId } from "./ids.ts";
import { catalogue } from "./operations/catalogue.ts";
import type { Mailer } from "./providers/mail/mail.ts";
import { report } from "./report.ts";

export type Mailbox = Pick<Clock, "now" | "monotonic"> & {
  db: Db;
  mailer: Mailer;
  urlOf: (at: { slug: string; domain: string }) => string;
  dashboardUrl: string;
};
type Kind = (typeof mail.$inferSelect)["kind"];

/** Sends an operation's mail of this kind: exactly one for each round, however often it is asked for. */
export async function sendMail(mailbox: Mailbox, operationId: string, kind: Kind): Promise<void> {
  const row = write(mailbox.db, (tx) => {
    const operation = tx.select().from(operations).where(eq(operations.id, operationId)).get();
    if (operation === undefined) throw new Error(`There is no operation ${operationId} to write about.`);
    const now = mailbox.now();
    // "Ready" is said once in an operation's life; a failure once for each round of it.
    const round = kind === "failed" ? operation.round : 0;
    tx.insert(mail)
      .values({
        id: newId(),
        operationId,
        kind,
        round,
        recipient: operation.createdBy,
        createdAt: now,
        dueAt: mailbox.monotonic(),
      })
      .onConflictDoNothing()
      .run();
    return tx
      .select()
      .from(mail)
      .where(and(eq(mail.operationId, operationId), eq(mail.kind, kind), eq(mail.round, round)))
      .get();
  });
  if (row !== undefined && row.sentAt === null) await deliver(mailbox, row);
}

async function deliver(mailbox: Mailbox, row: typeof mail.$inferSelect): Promise<void> {
  const { db, mailer } = mailbox;
  // What was rendered once is sent as it was: an idempotency key allows no second wording.
  const content = row.subject === "" ? await render(mailbox, row) : row;
  if (row.subject === "")
    db.update(mail)
      .set({ subject: content.subject, html: content.html, text: content.text })
      .where(eq(mail.id, row.id))
      .run();
  const { subject, html, text } = content;
  const { id } = await mailer.send({ to: row.recipient, subject, html, text, idempotencyKey: row.id });
  db.update(mail)
    .set({ sentAt: mailbox.now(), providerId: id, failure: null })
    .where(eq(mail.id, row.id))
    .run();
}

async function render(mailbox: Mailbox, row: typeof mail.$inferSelect) {
  return row.operationId === null
    ? renderAboutInstance(mailbox, row)
    : renderAboutOperation(mailbox, row, row.operationId);
}

function renderAboutInstance({ db, dashboardUrl, now }: Mailbox, row: typeof mail.$inferSelect) {
  const instance = db
    .select()
    .from(instances)
    .where(eq(instances.id, row.instanceId ?? ""))
    .get();
  if (instance === undefined) throw new Error(`There is no instance ${row.instanceId} to write about.`);
  const { company, slug, backupPlan, createdAt } = instance;
  if (row.kind === "drift")
    return renderOrphanMail({
      ...orphanAbout(db, instance.id, row.round),
      company,
      dashboardUrl: `${dashboardUrl}/drift`,
    });
  const lastGoodAt = lastGoodBackups(db, [instance.id]).get(instance.id) ?? null;
  return renderStaleMail({
    company,
    sentence:
      staleness(backupPlan, { lastGoodAt, createdAt, now: now() }) ??
      "Its newest good backup was older than its plan wants; meanwhile there is a new one.",
    dashboardUrl: `${dashboardUrl}/instances/${slug}?tab=backups`,
  });
}

async function renderAboutOperation(
  { db, urlOf, dashboardUrl, now }: Mailbox,
  row: typeof mail.$inferSelect,
  operationId: string,
) {
  const found = db
    .select({ operation: operations, instance: instances })
    .from(operations)
    .innerJoin(instances, eq(instances.id, operations.instanceId))
    .where(eq(operations.id, operationId))
    .get();
  if (found === undefined) throw new Error(`There is no operation ${operationId} to write about.`);
  const { operation, instance } = found;
  const pageUrl = `${dashboardUrl}/instances/${instance.slug}?operation=${operation.id}`;
  if (row.kind === "ready")
    return renderReadyMail({
      company: instance.company,
      url: urlOf(instance),
      dashboardUrl: pageUrl,
      tookMs: now() - operation.createdAt,
      priceMonthlyCents: instance.priceMonthly,
      version: instance.version,
    });
  return renderFailedMail({
    company: instance.company,
    operation: catalogue[operation.kind].label,
    sentence: operation.failure?.sentence ?? "It did not come to its end.",
    stands:
      instance.dropletId === null
        ? "No droplet was bought, so nothing costs money."
        : instance.status === "failed"
          ? "The droplet stands and costs what it costs until you destroy the instance. Nothing is lost."
          : "The intranet is as it was before. Nothing is lost.",
    dashboardUrl: pageUrl,
  });
}

/** Sends what is due, with growing pauses after a fault; run by the worker every few seconds. */
export async function sendDueMail(mailbox: Mailbox): Promise<void> {
  const due = mailbox.db
    .select()
    .from(mail)
    .where(
      and(
        isNull(mail.sentAt),
        inArray(mail.kind, ["failed", "stale", "drift"]),
        lte(mail.dueAt, mailbox.monotonic()),
      ),
    )
    .all();
  for (const row of due) {
    try {
      await deliver(mailbox, row);
    } catch (error) {
      const attempts = row.attempts + 1;
      const dueAt = mailbox.monotonic() + Math.min(3_600_000, 5000 * 2 ** attempts);
      const failure = error instanceof Error ? error.message : String(error);
      mailbox.db.update(mail).set({ attempts, dueAt, failure }).where(eq(mail.id, row.id)).run();
      report(
        `the mail about ${row.operationId ?? row.instanceId} could not be sent; it is tried again`,
        error,
      );
    }
  }
}
