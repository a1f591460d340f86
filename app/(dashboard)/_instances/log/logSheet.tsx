"use client";
import { ChevronDown } from "lucide-react";
import { Dialog } from "radix-ui";
import type { RefObject } from "react";
import { useConnection } from "#app/live.tsx";
import { StatusWord } from "#app/status.tsx";
import { clock, useNow } from "#app/time.ts";
import type { InstanceDetail, OperationView } from "#server/api/views.ts";
import { Log } from "./log.tsx";

type Props = {
  instance: InstanceDetail;
  operation: OperationView;
  step: string | undefined;
  /** Gets the focus back: it was lost when what is behind the sheet became inert. */
  opener: RefObject<HTMLElement | null>;
  onClose: () => void;
};

/** The log over the whole of a phone; who it is about and the clock stay in sight. */
export function LogSheet({ instance, operation, step, opener, onClose }: Props) {
  const connection = useConnection();
  const now = useNow(250, operation.endedAt !== null || !connection.live);
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Content
          aria-describedby={undefined}
          onEscapeKeyDown={(event) => {
            // In the search it ends the search only.
            if (event.target instanceof HTMLInputElement) event.preventDefault();
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            opener.current?.focus();
          }}
          className="fixed inset-0 z-40 flex animate-[rise_180ms_cubic-bezier(.2,0,0,1)] flex-col bg-sunken"
        >
          <div className="flex h-13 shrink-0 items-center gap-3 border-b border-line px-4">
            <Dialog.Title className="truncate font-semibold">
              {instance.company}
              <span className="sr-only">, log</span>
            </Dialog.Title>
            <span className="shrink-0 grow">
              <StatusWord status={instance.status} />
            </span>
            <span
              className={`text-lead font-medium tabular-nums ${connection.live ? "" : "text-ink-3"}`}
              role="timer"
              aria-live="off"
              aria-label="Elapsed time"
            >
              {clock((operation.endedAt ?? now) - operation.createdAt)}
            </span>
          </div>
          <Log operation={operation} step={step} />
          <Dialog.Close className="flex h-14 shrink-0 items-center justify-center gap-2 border-t border-line text-ink-2 -outline-offset-2">
            <ChevronDown size={16} strokeWidth={1.9} aria-hidden />
            Back to the steps
          </Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
