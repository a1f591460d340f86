"use client";
import { usePrefetchQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useConnection, useWatchedLog } from "#app/live.tsx";
import { aboutLeft, timeLeft } from "#app/progress/segments.ts";
import { Steps } from "#app/progress/steps.tsx";
import { Track } from "#app/progress/track.tsx";
import { clock, duration, exact, useNow } from "#app/time.ts";
import { useTRPC } from "#app/trpc.tsx";
import { lazily } from "#app/ui/lazily.tsx";
import { tabletUp, useMedia } from "#app/ui/useMedia.ts";
import type { InstanceDetail, OperationView } from "#server/api/views.ts";
import { LogBar } from "./log/logBar.tsx";
import { whatFailed } from "./whatFailed.ts";

const Log = lazily(() => import("./log/log.tsx").then((module) => module.Log));

/** One operation: the clock, what it is doing, and its log. */
export function OperationPanel({
  instance,
  operation,
}: {
  instance: InstanceDetail;
  operation: OperationView;
}) {
  const connection = useConnection();
  const [chosen, setChosen] = useState<string>();
  useWatchedLog(operation.id);
  // Fetches the lines while the log reader's code loads.
  usePrefetchQuery(useTRPC().operations.log.queryOptions({ operationId: operation.id }));
  const isPhone = !useMedia(tabletUp);
  const step = chosen ?? (operation.state === "failed" ? whatFailed(operation).step?.name : undefined);
  return (
    <div className="flex grow flex-col lg:flex-row">
      <div className="min-w-0 shrink-0 px-4 py-7 max-md:pb-14 md:px-10 lg:w-140">
        {operation.state === "failed" ? <Failure operation={operation} /> : <Time operation={operation} />}
        <div className="my-6">
          <Track operation={operation} size="page" frozen={!connection.live} />
        </div>
        <Steps
          operation={operation}
          frozen={!connection.live}
          selected={chosen}
          onSelect={(name) => setChosen(chosen === name ? undefined : name)}
        />
      </div>
      {isPhone ? (
        <LogBar instance={instance} operation={operation} step={step} />
      ) : (
        <div className="flex min-w-0 grow flex-col border-line bg-sunken max-lg:border-t lg:sticky lg:top-0 lg:h-dvh lg:border-l">
          <Log operation={operation} step={step} />
        </div>
      )}
    </div>
  );
}

function Time({ operation }: { operation: OperationView }) {
  const connection = useConnection();
  const runs = operation.endedAt === null;
  const now = useNow(250, !runs || !connection.live);
  const took = (operation.endedAt ?? now) - operation.createdAt;
  const left = runs && operation.state === "running" ? timeLeft(operation.steps, now) : undefined;
  const slow = operation.steps.find(
    (step) =>
      step.state === "running" &&
      step.slowMs !== null &&
      step.startedAt !== null &&
      now - step.startedAt > step.slowMs * 1.2 + 2000,
  );
  const words =
    operation.state === "cancelling" || (runs && operation.cancelRequestedAt !== null)
      ? "Cancelling"
      : operation.state === "cancelled"
        ? `${operation.label} cancelled`
        : operation.state === "done"
          ? `${operation.label} done`
          : left === undefined
            ? ""
            : aboutLeft(left);
  return (
    <>
      <div className="flex flex-wrap items-end justify-between gap-4">
        <p
          role="timer"
          aria-live="off"
          aria-label="Elapsed time"
          className={`text-clock font-[350] tracking-[-0.045em] tabular-nums ${connection.live ? "" : "text-ink-3"}`}
        >
          {clock(took)}
        </p>
        <p className="text-right">
          <span className="block text-title font-medium tabular-nums">{words}</span>
          <span className="text-sm text-ink-3">Started {exact(operation.createdAt)}</span>
        </p>
      </div>
      {operation.aftermath !== null && <p className="mt-4 text-lead text-ink-2">{operation.aftermath}</p>}
      {slow !== undefined && (
        <p className="mt-4 rounded-[6px] bg-warn-tint px-4 py-3 text-sm text-ink-2">
          <strong className="font-medium text-warn-ink">Slower than usual.</strong> “{slow.label}” usually
          takes {duration(slow.usualMs ?? 0)}.
        </p>
      )}
    </>
  );
}

function Failure({ operation }: { operation: OperationView }) {
  const { step: failed, retry } = whatFailed(operation);
  const { failure } = operation;
  const detail = `${failed?.label ?? ""}\n${failure?.detail ?? ""}\nattempts: ${failed?.attempts ?? 0}\n${new Date(operation.endedAt ?? 0).toISOString()}`;
  return (
    <section aria-label="What went wrong">
      <h2 className="text-title font-semibold">{failure?.userMessage ?? `${operation.label} failed.`}</h2>
      <p className="mt-2 text-lead text-ink-2">
        “{failed?.label}” failed. {retry}
      </p>
      {operation.aftermath !== null && <p className="mt-2 text-ink-2">{operation.aftermath}</p>}
      <details className="mt-3">
        <summary className="touch text-sm text-ink-2">Technical details</summary>
        <pre className="mt-2 max-h-60 overflow-auto rounded-[6px] bg-sunken p-3 font-mono text-sm whitespace-pre-wrap">
          {detail}
        </pre>
      </details>
    </section>
  );
}
