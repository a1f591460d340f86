"use client";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import {
  createTRPCClient,
  httpBatchLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
  TRPCClientError,
} from "@trpc/client";
import { createTRPCContext } from "@trpc/tanstack-react-query";
import { type ReactNode, useState } from "react";
import type { AppRouter } from "#server/api/router.ts";
import { maxCallsAtOnce } from "#server/api/views.ts";

const { TRPCProvider, useTRPC } = createTRPCContext<AppRouter>();

export { useTRPC };

/** Whoever is not signed in any more goes to the sign-in page, and comes back afterwards. */
function toSignIn(error: unknown): void {
  if (!isUnauthorized(error) || location.pathname === "/login") return;
  location.assign(`/login?from=${encodeURIComponent(location.pathname + location.search)}`);
}

export const isUnauthorized = (error: unknown): boolean =>
  error instanceof TRPCClientError && error.data?.code === "UNAUTHORIZED";

/** The sentences that belong beside fields, by path; empty when the error names none. */
export function fieldErrors(error: unknown): Record<string, string> {
  const fields: unknown = error instanceof TRPCClientError ? error.data?.fields : undefined;
  return typeof fields === "object" && fields !== null ? (fields as Record<string, string>) : {};
}

/** What went wrong, in a sentence. A server that cannot be reached has none of its own. */
export function sentenceOf(error: unknown): string {
  if (error instanceof TRPCClientError && error.data !== undefined && error.data !== null)
    return error.message;
  return "Can't reach the Spawner. Retrying automatically.";
}

export function TrpcProvider({ children }: { children: ReactNode }) {
  const [queryClient] = useState(
    () =>
      new QueryClient({
        queryCache: new QueryCache({ onError: toSignIn }),
        mutationCache: new MutationCache({ onError: toSignIn }),
        defaultOptions: {
          queries: {
            staleTime: 30_000,
            retry: (count, error) =>
              count < 5 && !(error instanceof TRPCClientError && (error.data?.httpStatus ?? 500) < 500),
          },
        },
      }),
  );
  const [client] = useState(() =>
    createTRPCClient<AppRouter>({
      links: [
        splitLink({
          condition: (operation) => operation.type === "subscription",
          true: httpSubscriptionLink({ url: "/api/trpc" }),
          false: splitLink({
            condition: ({ context }) => context.skipBatch === true,
            true: httpLink({ url: "/api/trpc" }),
            false: httpBatchLink({ url: "/api/trpc", maxURLLength: 4000, maxItems: maxCallsAtOnce }),
          }),
        }),
      ],
    }),
  );
  return (
    <QueryClientProvider client={queryClient}>
      <TRPCProvider trpcClient={client} queryClient={queryClient}>
        {children}
      </TRPCProvider>
    </QueryClientProvider>
  );
}
