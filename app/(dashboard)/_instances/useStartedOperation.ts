"use client";
import { useRouter } from "next/navigation";
import type { InstanceDetail } from "#server/api/views.ts";

/** After a command: its dialog closes, and the page shows the operation that began. */
export function useStartedOperation(instance: Pick<InstanceDetail, "id" | "slug">, onClose?: () => void) {
  const router = useRouter();
  return ({ operationId }: { operationId: string }) => {
    onClose?.();
    router.push(`/instances/${instance.slug}?id=${instance.id}&operation=${operationId}`);
  };
}
