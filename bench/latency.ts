import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { openDatabase, write } from "../db/client.ts";
import { appendEvent } from "../server/operations/events.ts";
import type { Stack } from "./stack.ts";

const pages = 100;
const lines = 300;

/**
 * Opens pages, commits events from another process as the worker does, and measures for each page and event the time
 * from the commit to its arrival, in ms.
 */
export async function latency(
  stack: Stack,
  { operationId, instanceId }: { operationId: string; instanceId: string },
) {
  const { db, connection } = openDatabase(join(stack.dataDir, "spawner.sqlite"));
  const committed = new Map<string, number>();
  const delays: number[] = [];
  const abort = new AbortController();
  const open = Array.from({ length: pages }, () =>
    follow(stack, operationId, abort.signal, (text) => {
      for (const [mark] of text.matchAll(/bench-line-\d+/g)) {
        const at = committed.get(mark);
        if (at !== undefined) delays.push(performance.now() - at);
      }
    }),
  );
  await Promise.all(open.map((page) => page.opened));
  for (let line = 0; line < lines; line += 1) {
    const text = `bench-line-${line}`;
    write(db, (tx) =>
      appendEvent(tx, {
        at: Date.now(),
        kind: "log",
        instanceId,
        operationId,
        step: "provision",
        data: { text, failed: false },
      }),
    );
    committed.set(text, performance.now());
    await wait(10);
  }
  const deadline = performance.now() + 10_000;
  while (delays.length < pages * lines && performance.now() < deadline) await wait(20);
  abort.abort();
  connection.close();
  if (delays.length < pages * lines)
    throw new Error(`${pages * lines - delays.length} events did not arrive.`);
  return delays;
}

function follow(stack: Stack, operationId: string, signal: AbortSignal, onText: (text: string) => void) {
  const input = encodeURIComponent(JSON.stringify({ operationId }));
  let markOpened = (): void => {};
  const opened = new Promise<void>((resolve) => {
    markOpened = resolve;
  });
  const read = async () => {
    const response = await fetch(`${stack.dashboard}/api/trpc/live?input=${input}`, {
      headers: { cookie: stack.cookie, accept: "text/event-stream" },
      signal,
    });
    if (response.body === null) throw new Error("The stream has no body.");
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of response.body) {
      markOpened();
      const text = rest + decoder.decode(chunk, { stream: true });
      const end = text.lastIndexOf("\n") + 1;
      rest = text.slice(end);
      onText(text.slice(0, end));
    }
  };
  read().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return { opened };
}
