"use client";
import { useEffect, useState } from "react";
import { statusLooks, stepWords } from "#app/status.tsx";
import { clock, useNow } from "#app/time.ts";
import type { InstanceDetail, OperationView } from "#server/api/views.ts";

/** Says changes of steps to a screen reader, and in the title how it goes. */
export function Announcer({
  instance,
  operation,
}: {
  instance: InstanceDetail;
  operation: OperationView | undefined;
}) {
  const runs = operation !== undefined && operation.endedAt === null;
  const now = useNow(1000, !runs);
  const running = operation?.steps.filter((step) => step.state === "running").map((step) => step.label) ?? [];
  const [polite, setPolite] = useState("");
  const words = running.map((label) => `${label}, ${stepWords.running.word}`).join(". ");
  useEffect(() => setPolite(words), [words]);
  const [sawRunning, setSawRunning] = useState(false);
  useEffect(() => {
    if (runs) setSawRunning(true);
  }, [runs]);
  const ended = sawRunning && !runs && operation !== undefined;
  const final =
    operation?.state === "failed"
      ? `${instance.company}: ${operation.label} failed. ${operation.failure?.userMessage ?? ""}`
      : `${instance.company}: ${statusLooks[instance.status].word}`;
  const title = runs
    ? `${clock(now - operation.createdAt)} ${instance.company}`
    : ended && operation.state === "done" && instance.status === "running"
      ? `Ready: ${instance.company}`
      : instance.company;
  useEffect(() => {
    document.title = title;
    return () => {
      document.title = "Spawner";
    };
  }, [title]);
  return (
    <>
      <p className="sr-only" aria-live="polite">
        {polite}
      </p>
      <p className="sr-only" aria-live="assertive">
        {ended ? final : ""}
      </p>
    </>
  );
}
