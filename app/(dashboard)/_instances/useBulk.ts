"use client";
import { useMutation } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { useTRPC } from "#app/trpc.tsx";
import { useToast } from "#app/ui/toast.tsx";

/** Begins one thing with many instances: says what could not be begun, and leads to where all of it is seen. */
export function useBulk() {
  const trpc = useTRPC();
  const router = useRouter();
  const say = useToast();
  return useMutation(
    trpc.instances.inBulk.mutationOptions({
      onSuccess: ({ batchId, begun, refused }) => {
        if (refused.length > 0)
          say(refused.map(({ company, userMessage }) => `${company}: ${userMessage}`).join(" "));
        if (begun > 0) router.push(`/batches/${batchId}`);
      },
    }),
  );
}
