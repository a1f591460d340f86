"use client";
import { useMutation } from "@tanstack/react-query";
import { RotateCw } from "lucide-react";
import Link from "next/link";
import { offlineReason, useConnection } from "#app/live.tsx";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button, buttonClass } from "#app/ui/button.tsx";
import { useToast } from "#app/ui/toast.tsx";
import type { InstanceRow } from "#server/api/views.ts";

/** What a row that needs somebody offers at once. */
export function RowAction({ row }: { row: InstanceRow }) {
  if (row.status === "failed" && row.operation?.canRetry === true)
    return <Retry company={row.company} operationId={row.operation.id} />;
  if (row.status === "unreachable")
    return (
      <Link href={`/instances/${row.slug}`} className={buttonClass("plain")}>
        See why<span className="sr-only"> {row.company} doesn't answer</span>
      </Link>
    );
  return null;
}

function Retry({ company, operationId }: { company: string; operationId: string }) {
  const trpc = useTRPC();
  const connection = useConnection();
  const say = useToast();
  const retry = useMutation(
    trpc.operations.retry.mutationOptions({ onError: (error) => say(sentenceOf(error)) }),
  );
  return (
    <Button
      sending={retry.isPending}
      reason={connection.live ? null : offlineReason}
      onClick={() => retry.mutate({ operationId })}
    >
      <RotateCw size={15} strokeWidth={1.9} aria-hidden />
      <span>
        Retry<span className="sr-only"> {company}</span>
      </span>
    </Button>
  );
}
