"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useParams, useSearchParams } from "next/navigation";
import { Suspense, useMemo } from "react";
import type { InstanceDetail } from "../../../../server/views.ts";
import { foldDetail } from "../../../fold.ts";
import { useLive } from "../../../live.tsx";
import { sentenceOf, useTRPC } from "../../../trpc.tsx";
import { Button } from "../../../ui/button.tsx";
import { Empty, Notice, Skeleton } from "../../../ui/notice.tsx";
import { ActivityList } from "../../activityList.tsx";
import { Announcer } from "./announcer.tsx";
import { Header } from "./header.tsx";
import { InstanceSettings } from "./instanceSettings.tsx";
import { OperationPanel } from "./operationPanel.tsx";
import { Overview } from "./overview.tsx";

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
  const { events } = useLive();
  const query = useQuery(trpc.instances.get.queryOptions(id === null ? { slug } : { slug, id }));
  const instance = useMemo(
    () => (query.data === undefined ? undefined : foldDetail(query.data, events)),
    [query.data, events],
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

function Loaded({
  instance,
  operationId,
  tab,
}: {
  instance: InstanceDetail;
  operationId: string | null;
  tab: string;
}) {
  const chosen = instance.operations.find((operation) => operation.id === operationId);
  const newest = instance.operations[0];
  // What runs or has failed is what the page is about; otherwise what the address asks for.
  const current = newest !== undefined && newest.state !== "done" ? newest : undefined;
  const operation = chosen ?? current;
  return (
    <div className="flex min-h-dvh flex-col">
      <Announcer instance={instance} operation={operation} />
      <Header instance={instance} tab={tab} />
      {tab === "overview" && operation !== undefined && (
        <OperationPanel key={operation.id} instance={instance} operation={operation} />
      )}
      {tab === "overview" && operation === undefined && <Overview instance={instance} />}
      {tab === "backups" && (
        <div className="px-4 md:px-10">
          <Empty title="No backups yet." />
        </div>
      )}
      {tab === "activity" && (
        <div className="px-4 md:px-10">
          <ActivityList instanceId={instance.id} />
        </div>
      )}
      {tab === "settings" && <InstanceSettings instance={instance} />}
    </div>
  );
}
