"use client";
import { useEffect } from "react";
import { useInstances } from "./useInstances.ts";

/** Calls `then` whenever an operation has started or ended, for what is read and doesn't stream. */
export function useOnEnded(then: () => unknown): void {
  const { instances = [] } = useInstances();
  const mark = instances.map((row) => `${row.operation?.id} ${row.operation?.state}`).join();
  useEffect(() => {
    if (mark !== "") void then();
  }, [mark, then]);
}
