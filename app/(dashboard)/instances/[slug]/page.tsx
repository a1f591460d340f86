"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { useParams, usePathname, useRouter, useSearchParams } from "next/navigation";
import { Suspense, useEffect, useMemo, useRef } from "react";
import { Announcer } from "#app/(dashboard)/_instances/announcer.tsx";
import { currentOperation } from "#app/(dashboard)/_instances/currentOperation.ts";
import { Header } from "#app/(dashboard)/_instances/header.tsx";
import { OperationPanel } from "#app/(dashboard)/_instances/operationPanel.tsx";
import { Overview } from "#app/(dashboard)/_instances/overview.tsx";
import { applyToDetail } from "#app/applyEvent.ts";
import { useChanges } from "#app/live.tsx";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { lazily } from "#app/ui/lazily.tsx";
import { Notice, Skeleton } from "#app/ui/notice.tsx";
import type { InstanceDetail } from "#server/api/views.ts";

// Each tab is loaded when it is opened.
const InstanceBackups = lazily(
  () => import("#app/(dashboard)/_backups/instanceBackups.tsx").then((module) => module.InstanceBackups),
  { loading: <Skeleton /> },
);
const ActivityList = lazily(
  () => import("#app/(dashboard)/activity/activityList.tsx").then((module) => module.ActivityList),
  { loading: <Skeleton /> },
);
const InstanceSettings = lazily(
  () => import("#app/(dashboard)/_instances/instanceSettings.tsx").then((module) => module.InstanceSettings),
  { loading: <Skeleton /> },
);

export default function InstancePage() {
  return (
    <Suspense>
      <Instance />
    </Suspense>
  );
}

function Instance() {
  const { slug } = useParams<{ slug: string }>();
  const search = useSearchParams();
  const id = search.get("id");
  const trpc = useTRPC();
  const changes = useChanges();
  const query = useQuery(
    trpc.instances.get.queryOptions(id === null ? { slug } : { slug, id }, {
      // A command adds the instance's id to the address: it is still the same page, and keeps what it shows.
      placeholderData: (before) => (before?.instance.id === id ? before : undefined),
    }),
  );
  const instance = useMemo(
    () => (query.data === undefined ? undefined : applyToDetail(query.data, changes)),
    [query.data, changes],
  );
  if (query.isPending)
    return (
      <div className="px-4 py-6 md:px-10">
        <Skeleton />
      </div>
    );
  if (instance === undefined)
    return (
      <div className="px-4 py-6 md:px-10 md:py-8">
        <h1 className="text-page font-semibold">{slug}</h1>
        <div className="my-4">
          <Notice tone="bad" alert>
            {sentenceOf(query.error)}
          </Notice>
        </div>
        <div className="flex gap-4">
          <Button onClick={() => void query.refetch()}>Try again</Button>
          <Link href="/" className="self-center underline underline-offset-4">
            All instances
          </Link>
        </div>
      </div>
    );
  return (
    <Loaded instance={instance} operationId={search.get("operation")} tab={search.get("tab") ?? "overview"} />
  );
}

/** What the events do not carry (backups, variables, snapshots) is read again when an operation has come to its end. */
function useFresh(instance: InstanceDetail): void {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const router = useRouter();
  const path = usePathname();
  const search = useSearchParams();
  const mark = `${instance.operation?.id} ${instance.operation?.state} ${instance.isProtected}`;
  const seen = useRef(mark);
  useEffect(() => {
    if (seen.current === mark) return;
    seen.current = mark;
    void queryClient.invalidateQueries({ queryKey: trpc.instances.get.queryKey() });
    void queryClient.invalidateQueries({ queryKey: trpc.backups.list.pathKey() });
    void queryClient.invalidateQueries({ queryKey: trpc.operations.list.pathKey() });
    void queryClient.invalidateQueries({ queryKey: trpc.operations.get.queryKey() });
  }, [mark, queryClient, trpc]);
  // It has moved: the page moves with it.
  useEffect(() => {
    const own = `/instances/${instance.slug}`;
    if (path === own) return;
    const query = new URLSearchParams(search);
    query.set("id", instance.id);
    router.replace(`${own}?${query}`);
  }, [instance.slug, instance.id, path, search, router]);
}

/** An operation that the page has no longer at hand, of this instance. */
function useOlderOperation(instanceId: string, operationId: string | null) {
  const trpc = useTRPC();
  const { data } = useQuery(
    trpc.operations.get.queryOptions({ operationId: operationId ?? "" }, { enabled: operationId !== null }),
  );
  return operationId !== null && data?.instanceId === instanceId ? data.operation : undefined;
}

function Loaded({
  instance,
  operationId,
  tab,
}: {
  instance: InstanceDetail;
  operationId: string | null;
  tab: string;
}) {
  useFresh(instance);
  const { resumable } = instance;
  const known = resumable === null ? instance.operations : [...instance.operations, resumable];
  const chosen = known.find((operation) => operation.id === operationId);
  const older = useOlderOperation(instance.id, chosen === undefined ? operationId : null);
  const operation = chosen ?? older ?? currentOperation(known);
  return (
    <div className="flex min-h-dvh flex-col">
      <Announcer instance={instance} operation={operation} />
      <Header instance={instance} tab={tab} />
      {tab === "overview" && operation !== undefined && (
        <OperationPanel key={operation.id} instance={instance} operation={operation} />
      )}
      {tab === "overview" && operation === undefined && <Overview instance={instance} />}
      {tab === "backups" && <InstanceBackups instance={instance} />}
      {tab === "activity" && (
        <div className="px-4 py-7 md:px-10">
          <ActivityList instanceId={instance.id} />
        </div>
      )}
      {tab === "settings" && <InstanceSettings instance={instance} />}
    </div>
  );
}
