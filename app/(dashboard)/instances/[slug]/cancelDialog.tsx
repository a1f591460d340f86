"use client";
import { useMutation } from "@tanstack/react-query";
import type { InstanceDetail, OperationView } from "../../../../server/views.ts";
import { sentenceOf, useTRPC } from "../../../trpc.tsx";
import { Button } from "../../../ui/button.tsx";
import { Dialog } from "../../../ui/dialog.tsx";

export function CancelDialog(props: {
  instance: InstanceDetail;
  operation: OperationView;
  onClose: () => void;
}) {
  const { instance, operation, onClose } = props;
  const trpc = useTRPC();
  const cancel = useMutation(trpc.operations.cancel.mutationOptions({ onSuccess: onClose }));
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Stop spawning ${instance.company}?`}
      description="What runs is stopped. The DNS record and the droplet are removed, so that nothing is left that costs money. What you typed stays on this page."
    >
      {cancel.isError && (
        <p role="alert" className="mt-3 text-sm text-bad-ink">
          {sentenceOf(cancel.error)}
        </p>
      )}
      <div className="mt-6 flex justify-end gap-2">
        <Button onClick={onClose}>Keep going</Button>
        <Button
          look="danger"
          sending={cancel.isPending}
          onClick={() => cancel.mutate({ operationId: operation.id })}
        >
          Cancel
        </Button>
      </div>
    </Dialog>
  );
}
