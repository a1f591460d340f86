"use client";
import { useMutation } from "@tanstack/react-query";
import { RotateCw, Trash2 } from "lucide-react";
import dynamic from "next/dynamic";
import { useState } from "react";
import type { InstanceDetail } from "../../../../server/views.ts";
import { useLive } from "../../../live.tsx";
import { sentenceOf, useTRPC } from "../../../trpc.tsx";
import { Button } from "../../../ui/button.tsx";

const DestroyDialog = dynamic(() => import("./destroyDialog.tsx").then((module) => module.DestroyDialog));
const CancelDialog = dynamic(() => import("./cancelDialog.tsx").then((module) => module.CancelDialog));

export const offlineReason = "Possible once the connection is back.";

/** What can be done with an instance now; what cannot says why. */
export function Actions({ instance }: { instance: InstanceDetail }) {
  const trpc = useTRPC();
  const { connection } = useLive();
  const [asks, setAsks] = useState<"destroy" | "cancel">();
  const retry = useMutation(trpc.operations.retry.mutationOptions());
  const operation = instance.operations[0];
  const offline = connection.live ? null : offlineReason;
  return (
    <div className="flex flex-wrap gap-2">
      {operation?.state === "running" && operation.cancelRequestedAt !== null && (
        <Button reason="It is being cancelled.">Cancel</Button>
      )}
      {operation?.canCancel === true && (
        <Button reason={offline} onClick={() => setAsks("cancel")}>
          Cancel
        </Button>
      )}
      {operation?.canRetry === true && instance.status === "failed" && (
        <Button
          look="primary"
          reason={offline}
          sending={retry.isPending}
          onClick={() => retry.mutate({ operationId: operation.id })}
        >
          <RotateCw size={15} strokeWidth={1.9} aria-hidden />
          Retry
        </Button>
      )}
      {instance.status !== "destroyed" && (
        <Button
          look="danger-line"
          reason={offline ?? instance.refusals.destroy}
          onClick={() => setAsks("destroy")}
        >
          <Trash2 size={15} strokeWidth={1.9} aria-hidden />
          Destroy instance
        </Button>
      )}
      {retry.isError && (
        <p role="alert" className="w-full text-sm text-bad-ink">
          {sentenceOf(retry.error)}
        </p>
      )}
      {asks === "destroy" && <DestroyDialog instance={instance} onClose={() => setAsks(undefined)} />}
      {asks === "cancel" && operation !== undefined && (
        <CancelDialog instance={instance} operation={operation} onClose={() => setAsks(undefined)} />
      )}
    </div>
  );
}
