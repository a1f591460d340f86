"use client";
import { useEffect } from "react";
import { useInstances } from "./useInstances.ts";

/** Calls `then` whenever an operation has begun or come to its end: for what is read and does not stream. */
export function useOnEnded(then: () => unknown): void {
  const { instances = [] } = useInstances();
  const mark = instances.map((row) => `${row.operation?.id} ${row.operation?.state}`).join();
  useEffect(() => {
    if (mark !== "") void then();
  }, [mark, then]);
}
