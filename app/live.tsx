"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import type { EventView } from "../server/views.ts";
import { isUnauthorized, useTRPC } from "./trpc.tsx";

/** More than a page shows between two snapshots. */
const kept = 5000;

type Connection = { live: boolean; since: number };
type Live = {
  events: readonly EventView[];
  connection: Connection;
  watch: (operationId: string | undefined) => void;
};

const LiveContext = createContext<Live | undefined>(undefined);

/** Holds the page's one subscription: every change of an instance, and the log of the operation that is watched. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const trpc = useTRPC();
  const me = useQuery(trpc.session.me.queryOptions(undefined, { staleTime: Number.POSITIVE_INFINITY }));
  const [events, setEvents] = useState<readonly EventView[]>([]);
  const [connection, setConnection] = useState<Connection>(() => ({ live: true, since: Date.now() }));
  const [operationId, watch] = useState<string>();
  const [startAt, setStartAt] = useState<number>();
  const from = startAt ?? me.data?.lastEventId;

  // What was read before the stream began may lack what happened in between: it is read once more.
  const queryClient = useQueryClient();
  useEffect(() => {
    if (from === undefined) return;
    void queryClient.invalidateQueries({ queryKey: trpc.instances.list.queryKey() });
    void queryClient.invalidateQueries({ queryKey: trpc.instances.get.queryKey() });
    if (operationId !== undefined)
      void queryClient.invalidateQueries({ queryKey: trpc.operations.log.queryKey({ operationId }) });
  }, [queryClient, trpc, from, operationId]);

  // Another operation's log needs a new stream: it begins where the page is, so nothing is missed or repeated.
  const newest = useRef<number>(undefined);
  newest.current = events.at(-1)?.id;
  const watchFrom = useCallback((next: string | undefined) => {
    setStartAt(newest.current);
    watch(next);
  }, []);

  const add = useCallback((event: EventView) => {
    setConnection((before) => (before.live ? before : { live: true, since: Date.now() }));
    setEvents((all) => ((all.at(-1)?.id ?? 0) >= event.id ? all : [...all, event].slice(-kept)));
  }, []);
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

  const value = useMemo(() => ({ events, connection, watch: watchFrom }), [events, connection, watchFrom]);
  return <LiveContext.Provider value={value}>{children}</LiveContext.Provider>;
}

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === undefined) throw new Error("useLive needs a LiveProvider above it.");
  return live;
}

/** Follows the log of one operation while the component is there. */
export function useWatchedLog(operationId: string | undefined): void {
  const { watch } = useLive();
  useEffect(() => {
    watch(operationId);
    return () => watch(undefined);
  }, [watch, operationId]);
}
