"use client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { applyToLog } from "#app/applyEvent.ts";
import { useLines } from "#app/live.tsx";
import { useTRPC } from "#app/trpc.tsx";
import type { LogLine, OperationView } from "#server/api/views.ts";
import { plain } from "./ansi.ts";

/** The lines of an operation's log, or of one of its steps, as they are shown; live. */
export function useLogLines(operation: OperationView, step: string | undefined): LogLine[] {
  const trpc = useTRPC();
  const written = useLines();
  const query = useQuery(trpc.operations.log.queryOptions({ operationId: operation.id }));
  const all = useMemo(() => {
    const lines = query.data === undefined ? [] : applyToLog(query.data, written, operation.id);
    // Ansible's empty lines only set its headings apart; here weight and space do.
    return lines
      .map((line) => ({ ...line, text: plain(line.text) }))
      .filter((line) => line.text.trim() !== "");
  }, [query.data, written, operation.id]);
  return useMemo(() => (step === undefined ? all : all.filter((line) => line.step === step)), [all, step]);
}
