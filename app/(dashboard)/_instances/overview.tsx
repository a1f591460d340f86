"use client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { CircleCheck } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { PastTrack } from "#app/progress/track.tsx";
import { age, bytes, day, duration, exact, money, roughly, snapshotCents, useNow, when } from "#app/time.ts";
import { useTRPC } from "#app/trpc.tsx";
import { Address } from "#app/ui/address.tsx";
import { Button } from "#app/ui/button.tsx";
import type { InstanceDetail, OperationView } from "#server/api/views.ts";
import { Health } from "./health.tsx";
import { Variables } from "./instanceSettings.tsx";
import { useMachineNames } from "./useMachineNames.ts";

/** An instance at rest: how it is, what happened, what it is made of. */
export function Overview({ instance }: { instance: InstanceDetail }) {
  const now = useNow(1000);
  const nameOf = useMachineNames();
  const trpc = useTRPC();
  const newest = useQuery(trpc.instances.options.queryOptions()).data?.versions[0];
  return (
    <div className="grid gap-10 px-4 py-7 md:px-10 lg:grid-cols-[minmax(0,1fr)_minmax(0,1fr)] lg:gap-14">
      <div>
        <Health instance={instance} now={now} />
        {instance.status !== "destroyed" && instance.dropletGoneAt !== null && (
          <p className="text-ink-2">
            Someone deleted it there. Destroy the instance
            {instance.bringsBack !== null &&
              `, then bring it back from its newest ${instance.bringsBack.from}`}
            .
          </p>
        )}
        <h2 className="mt-8 mb-2 text-lead font-semibold">History</h2>
        <History instance={instance} now={now} />
      </div>
      <div>
        <dl>
          <Fact name="Last backup">
            <LastBackup instance={instance} now={now} />
          </Fact>
          <Fact name="Address">
            <span className="block">
              <Address>{`${instance.slug}.${instance.domain}`}</Address>
            </span>
            {instance.ipAddress !== null && instance.dropletGoneAt === null && (
              <span className="block text-sm text-ink-3">Points to {instance.ipAddress}</span>
            )}
            {instance.redirects.map(({ url, until }) => (
              <span key={url} className="block text-sm text-ink-3">
                <Address>{url.replace(/^https?:\/\//, "")}</Address> redirects here
                {until === null ? "" : ` until ${day(until)}`}
              </span>
            ))}
          </Fact>
          <Fact name="Version">
            <span className="block">{instance.version}</span>
            {newest !== null && newest !== instance.version && (
              <span className="text-sm text-ink-3">{newest} is available</span>
            )}
          </Fact>
          <Fact name="Size">
            <span className="block">{nameOf(instance.size, instance.region)}</span>
            <span className="text-sm text-ink-3">
              {instance.status === "destroyed"
                ? "No longer billed"
                : instance.dropletGoneAt === null
                  ? `${money(instance.priceMonthlyCents)} a month`
                  : "Not billed: its droplet is gone"}
            </span>
          </Fact>
          <Fact name="Contact">
            <span className="block">{instance.contactName}</span>
            <a
              href={`mailto:${instance.contactEmail}`}
              className="text-sm break-all text-ink-2 underline underline-offset-4"
            >
              {instance.contactEmail}
            </a>
          </Fact>
          {instance.snapshotAt !== null && (
            <Fact name="Last snapshot">
              <span className="block">{exact(instance.snapshotAt)}</span>
              <span className="text-sm text-ink-3">
                {instance.keptUntil === null
                  ? "Kept at DigitalOcean"
                  : `Kept until ${day(instance.keptUntil)}`}
                {instance.snapshots[0] !== undefined &&
                  `, ${roughly(snapshotCents(instance.snapshots[0].sizeGb))} a month`}
              </span>
            </Fact>
          )}
          {instance.namesakes.length > 0 && (
            <Fact name="Same slug">
              {instance.namesakes.map((other) => (
                <Link
                  key={other.id}
                  href={`/instances/${instance.slug}?id=${other.id}`}
                  className="block underline underline-offset-4"
                >
                  {other.company}, {day(other.createdAt)}
                </Link>
              ))}
            </Fact>
          )}
        </dl>
        <Variables instance={instance} />
      </div>
    </div>
  );
}

/** What was done with the instance: the newest at once, the rest when somebody asks. */
function History({ instance, now }: { instance: InstanceDetail; now: number }) {
  const trpc = useTRPC();
  const [all, showAll] = useState(false);
  const query = useInfiniteQuery(
    trpc.operations.list.infiniteQueryOptions(
      { instanceId: instance.id },
      { enabled: all, getNextPageParam: (page) => page.next ?? undefined },
    ),
  );
  const read = query.data?.pages.flatMap((page) => page.operations) ?? [];
  const newest = new Set(instance.operations.map((operation) => operation.id));
  const shown = [...instance.operations, ...(all ? read.filter(({ id }) => !newest.has(id)) : [])];
  const hasMore = all ? query.isPending || query.hasNextPage : instance.hasOlderOperations;
  const most = longest(shown);
  return (
    <>
      <ul className="border-t border-line">
        {shown.map((operation) => (
          <Past key={operation.id} instance={instance} operation={operation} longest={most} now={now} />
        ))}
      </ul>
      {hasMore && (
        <div className="mt-4">
          <Button
            sending={query.isFetching}
            onClick={() => (all ? void query.fetchNextPage() : showAll(true))}
          >
            Show older
          </Button>
        </div>
      )}
    </>
  );
}

function LastBackup({ instance, now }: { instance: InstanceDetail; now: number }) {
  const newest = instance.backups.newestGood;
  const next =
    instance.nextBackupAt === null
      ? "No backups scheduled."
      : `Next backup: ${exact(instance.nextBackupAt)}.`;
  return (
    <>
      {newest === null ? (
        <span className="block text-ink-2">None yet</span>
      ) : (
        <span className="block">
          <CircleCheck size={15} strokeWidth={1.9} className="mr-1.5 inline text-ok-ink" aria-hidden />
          <span className="font-medium text-ok-ink">Good</span>
          {newest.restoreTestedAt !== null && `, restore tested ${age(newest.restoreTestedAt, now)}`}
        </span>
      )}
      <span className="block text-sm text-ink-3">
        {newest !== null && `${bytes(newest.bytes)}, taken ${age(newest.takenAt, now)}. `}
        {instance.status !== "destroyed" && next}
      </span>
      {instance.backupWarning !== null && (
        <span className="mt-1 block text-sm text-warn-ink">{instance.backupWarning}</span>
      )}
    </>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="grid grid-cols-[112px_1fr] border-b border-line py-4 first:pt-0">
      <dt className="text-ink-2">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </div>
  );
}

const took = (operation: OperationView) => (operation.endedAt ?? operation.createdAt) - operation.createdAt;
const longest = (operations: OperationView[]) => Math.max(1, ...operations.map(took));

function Past({
  instance,
  operation,
  longest: most,
  now,
}: {
  instance: InstanceDetail;
  operation: OperationView;
  longest: number;
  now: number;
}) {
  return (
    <li className="border-b border-line">
      <Link
        href={`/instances/${instance.slug}?id=${instance.id}&operation=${operation.id}`}
        className="grid grid-cols-[120px_1fr_72px] items-center gap-4 py-2.5 hover:bg-hover"
      >
        <span>
          <span className="block font-medium">{operation.label}</span>
          <span className="text-sm text-ink-3" title={exact(operation.createdAt)}>
            {when(operation.createdAt, now)}
          </span>
        </span>
        <span style={{ width: `${Math.max(4, (took(operation) / most) * 100)}%` }}>
          <PastTrack operation={operation} />
        </span>
        <span className="text-right text-sm tabular-nums">
          {operation.state === "done" ? duration(took(operation)) : operation.state}
        </span>
      </Link>
    </li>
  );
}
