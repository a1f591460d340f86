"use client";
import { useEffect } from "react";
import { operationStates } from "#app/applyEvent.ts";
import { useChanges } from "#app/live.tsx";

/** Calls `then` whenever an operation has started or ended, for what is read and doesn't stream. */
export function useOnEnded(then: () => unknown): void {
  const changes = useChanges();
  const mark = operationStates(changes);
  useEffect(() => {
    if (mark !== "") void then();
  }, [mark, then]);
}
