"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import {
  type Context,
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
} from "react";
import type { ChangeEvent, EventView, LineEvent, NewsEvent } from "#server/api/views.ts";
import { newestChanges } from "./applyEvent.ts";
import { isUnauthorized, useTRPC } from "./trpc.tsx";

/** More lines than an operation writes while a page looks at it. */
const keptLines = 20_000;
/** Ms in which events that come in a burst are drawn together; the first of them is drawn at once. */
const burstMs = 16;

/** How long what instances add up to may lag behind, ms. */
const recountMs = 500;

/** Why a command cannot be sent while the connection is lost. */
export const offlineReason = "Available once you're reconnected.";

type Connection = { live: boolean; since: number };

const ConnectionContext = createContext<Connection | undefined>(undefined);
const ChangesContext = createContext<readonly ChangeEvent[] | undefined>(undefined);
const LinesContext = createContext<readonly LineEvent[] | undefined>(undefined);
const HealthRoundContext = createContext<number | undefined>(undefined);
const WatchContext = createContext<((operationId: string | undefined) => void) | undefined>(undefined);

/** Holds the page's one subscription: every change of an instance, and the log of the operation that is watched. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const trpc = useTRPC();
  const me = useQuery(trpc.session.me.queryOptions(undefined, { staleTime: Number.POSITIVE_INFINITY }));
  const [changes, setChanges] = useState<readonly ChangeEvent[]>([]);
  const [lines, setLines] = useState<readonly LineEvent[]>([]);
  const [connection, setConnection] = useState<Connection>(() => ({ live: true, since: Date.now() }));
  const [operationId, watch] = useState<string>();
  const [startAt, setStartAt] = useState<number>();
  const from = startAt ?? me.data?.lastEventId;

  // What was read before the stream began may lack what happened in between: it is read once more.
  const queryClient = useQueryClient();
  useEffect(() => {
    if (from === undefined) return;
    const { list, summary, found, get, batch } = trpc.instances;
    for (const read of [list, summary, found, get, batch, trpc.backups.list])
      void queryClient.invalidateQueries({ queryKey: read.pathKey() });
    if (operationId !== undefined)
      void queryClient.invalidateQueries({ queryKey: trpc.operations.log.queryKey({ operationId }) });
  }, [queryClient, trpc, from, operationId]);

  const [round, setRound] = useState<number>();
  const hear = useCallback(
    ({ kind, at }: NewsEvent) => {
      if (kind === "answers") setRound(at);
      const { instances, drift, outbox } = trpc;
      const read = { answers: instances.health, drift: drift.list, outbox: outbox.list }[kind];
      void queryClient.invalidateQueries({ queryKey: read.pathKey() });
    },
    [queryClient, trpc],
  );

  // Another operation's log needs a new stream: it begins where the page is, so nothing is missed or repeated.
  const newest = useRef<number>(undefined);
  const watchFrom = useCallback((next: string | undefined) => {
    setStartAt(newest.current);
    watch(next);
  }, []);

  const recount = useRecount();
  const waiting = useRef<(ChangeEvent | LineEvent)[]>([]);
  const drawing = useRef<ReturnType<typeof setTimeout>>(undefined);
  const draw = useCallback(() => {
    const events = waiting.current;
    if (events.length === 0) {
      drawing.current = undefined;
      return;
    }
    waiting.current = [];
    drawing.current = setTimeout(draw, burstMs);
    const changed = events.filter((event) => event.kind !== "log");
    const written = events.filter((event) => event.kind === "log");
    if (changed.length > 0) {
      setChanges((known) => newestChanges(known, changed));
      recount(changed);
    }
    if (written.length > 0) setLines((known) => [...known, ...written].slice(-keptLines));
  }, [recount]);
  useEffect(() => () => clearTimeout(drawing.current), []);
  const add = useCallback(
    (event: EventView) => {
      setConnection((before) => (before.live ? before : { live: true, since: Date.now() }));
      if (isNews(event)) return hear(event);
      if ((newest.current ?? 0) >= event.id) return;
      newest.current = event.id;
      waiting.current.push(event);
      if (drawing.current === undefined) draw();
    },
    [draw, hear],
  );
  const stream = useSubscription(
    trpc.live.subscriptionOptions(
      {
        ...(from === undefined ? {} : { lastEventId: from }),
        ...(operationId === undefined ? {} : { operationId }),
      },
      {
        enabled: from !== undefined,
        onData: (message) => add(message.data),
        onConnectionStateChange: (state) => {
          const live = state.state === "pending";
          setConnection((before) => (before.live === live ? before : { live, since: Date.now() }));
        },
        onError: (error) => {
          if (isUnauthorized(error)) void me.refetch();
        },
      },
    ),
  );
  // A stream that ended (a session, a server's refusal) is opened again; a lost connection resumes by itself.
  useEffect(() => {
    if (stream.status !== "error") return;
    const timer = setTimeout(() => {
      void me.refetch();
      stream.reset();
    }, 3000);
    return () => clearTimeout(timer);
  }, [stream, me]);

  return (
    <ConnectionContext.Provider value={connection}>
      <WatchContext.Provider value={watchFrom}>
        <ChangesContext.Provider value={changes}>
          <LinesContext.Provider value={lines}>
            <HealthRoundContext.Provider value={round}>{children}</HealthRoundContext.Provider>
          </LinesContext.Provider>
        </ChangesContext.Provider>
      </WatchContext.Provider>
    </ConnectionContext.Provider>
  );
}

const isNews = (event: EventView): event is NewsEvent =>
  event.kind === "answers" || event.kind === "drift" || event.kind === "outbox";

/** Asks anew for what instances add up to when events have changed it: at once, then at most every `recountMs`. */
function useRecount(): (changes: readonly ChangeEvent[]) => void {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const marks = useRef(new Map<string, string>());
  const pause = useRef<ReturnType<typeof setTimeout>>(undefined);
  const isDue = useRef(false);
  useEffect(() => () => clearTimeout(pause.current), []);
  const ask = useCallback(() => {
    pause.current = undefined;
    if (!isDue.current) return;
    isDue.current = false;
    void queryClient.invalidateQueries({ queryKey: trpc.instances.summary.queryKey() });
    void queryClient.invalidateQueries({ queryKey: trpc.instances.found.queryKey() });
    pause.current = setTimeout(ask, recountMs);
  }, [queryClient, trpc]);
  return useCallback(
    (changes) => {
      for (const { row } of changes) {
        const mark = `${row.status} ${row.dropletId} ${row.dropletGoneAt} ${row.priceMonthlyCents} ${row.slug}`;
        if (marks.current.get(row.id) === mark) continue;
        marks.current.set(row.id, mark);
        isDue.current = true;
      }
      if (pause.current === undefined) ask();
    },
    [ask],
  );
}

function useProvided<Value>(context: Context<Value | undefined>): Value {
  const value = useContext(context);
  if (value === undefined) throw new Error("Live data must be used within a LiveProvider.");
  return value;
}

/** Whether what is shown is the present, and since when. */
export const useConnection = () => useProvided(ConnectionContext);

/** What has changed since the page was opened: of each operation the newest. */
export const useChanges = () => useProvided(ChangesContext);

/** When the newest health round began; undefined until the feed has said. */
export const useHealthRound = () => useContext(HealthRoundContext);

/** The lines that have come of the operation that is watched. */
export const useLines = () => useProvided(LinesContext);

/** Follows the log of one operation while the component is there. */
export function useWatchedLog(operationId: string | undefined): void {
  const watch = useProvided(WatchContext);
  useEffect(() => {
    watch(operationId);
    return () => watch(undefined);
  }, [watch, operationId]);
}
