"use client";
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, OctagonAlert } from "lucide-react";
import Link from "next/link";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Notice, Skeleton } from "#app/ui/notice.tsx";

/** What the Spawner depends on, each asked now. */
export function Connections() {
  const trpc = useTRPC();
  const query = useQuery(
    trpc.settings.connections.queryOptions(undefined, {
      staleTime: 0,
      // It takes seconds: in a batch, everything else on the page would wait for it.
      trpc: { context: { skipBatch: true } },
    }),
  );
  const outbox = useQuery(trpc.outbox.list.queryOptions());
  return (
    <section aria-labelledby="connections">
      <div className="flex items-center justify-between border-b border-line pb-2">
        <h2 id="connections" className="text-lead font-semibold">
          Connections
        </h2>
        <Button sending={query.isFetching} sendingWord="Checking" onClick={() => void query.refetch()}>
          Check again
        </Button>
      </div>
      {query.isPending && <Skeleton rows={3} />}
      {query.isError && <Notice tone="bad">{sentenceOf(query.error)}</Notice>}
      <ul>
        {Object.entries(query.data ?? {}).map(([key, check]) => (
          <li
            key={key}
            className="flex justify-between gap-x-6 gap-y-1 border-b border-line py-3 max-md:flex-col"
          >
            <span className="font-medium">{check.name}</span>
            <span className="max-w-full break-words md:text-right">
              <span
                className={`inline-flex items-center gap-1.5 text-sm ${check.ok ? "text-ok-ink" : "text-bad-ink"}`}
              >
                {check.ok ? <CircleCheck size={15} aria-hidden /> : <OctagonAlert size={15} aria-hidden />}
                {check.ok ? "Working" : "Not working"}
              </span>
              <span className="block text-sm text-ink-2">{check.userMessage}</span>
              <span className="block font-mono text-xs text-ink-3">{check.detail}</span>
              {key === "mail" && outbox.data?.enabled === true && (
                <Link
                  href="/outbox"
                  className="touch inline-flex items-center text-sm text-ink-2 underline decoration-line-2 underline-offset-4 hover:text-ink"
                >
                  Open the outbox
                </Link>
              )}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
