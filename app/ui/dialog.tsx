"use client";
import { Dialog as Radix } from "radix-ui";
import { type ReactNode, useRef, useState } from "react";

/**
 * A form or a question over the page; from below on a phone. Escape closes it, and so does a click outside, unless
 * something was typed: that would be lost.
 */
export function Dialog(props: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description: ReactNode;
  /** It destroys something or can't be undone: an alert dialog, which a click outside doesn't close. */
  danger?: boolean;
  /** Changes that were made without typing count too. */
  isEdited?: boolean;
  children: ReactNode;
}) {
  const { danger = false, isEdited = false } = props;
  const [opener] = useState(() => document.activeElement);
  const wasTyped = useRef(false);
  return (
    <Radix.Root open={props.open} onOpenChange={props.onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-scrim" />
        <Radix.Content
          role={danger ? "alertdialog" : "dialog"}
          onInput={() => {
            wasTyped.current = true;
          }}
          onInteractOutside={(event) => {
            if (danger || isEdited || wasTyped.current) event.preventDefault();
          }}
          onOpenAutoFocus={(event) => {
            event.preventDefault();
            focusFirst(event.currentTarget);
          }}
          // Radix only knows its own Trigger, and would leave the focus behind the dialog.
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
            // The opener was removed along with its row.
            else document.getElementById("content")?.focus();
          }}
          className="fixed z-50 max-h-[92dvh] overflow-auto bg-raised p-6 shadow-pop max-md:inset-x-0 max-md:bottom-0 max-md:rounded-t-[14px] md:left-1/2 md:top-1/2 md:w-[560px] md:-translate-x-1/2 md:-translate-y-1/2 md:rounded-[14px]"
        >
          <Radix.Title className="text-title font-semibold">{props.title}</Radix.Title>
          <Radix.Description asChild>
            <div className="mt-2 text-base text-ink-2">{props.description}</div>
          </Radix.Description>
          {props.children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** The first field; without one the first button, which is the way back. */
function focusFirst(dialog: EventTarget | null): void {
  if (!(dialog instanceof HTMLElement)) return;
  const first = dialog.querySelector<HTMLElement>("input, select, textarea, button");
  (first ?? dialog).focus();
}
