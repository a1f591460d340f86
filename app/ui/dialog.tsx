"use client";
import { AlertDialog as Radix } from "radix-ui";
import { type ReactNode, useState } from "react";

/** Asks before something that costs or destroys. From below on a phone. */
export function Dialog(props: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description: ReactNode;
  children: ReactNode;
}) {
  const [opener] = useState(() => document.activeElement);
  return (
    <Radix.Root open={props.open} onOpenChange={props.onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-scrim" />
        <Radix.Content
          // Radix knows its own Cancel and Trigger only, and would leave the focus behind the dialog.
          onOpenAutoFocus={(event) => {
            event.preventDefault();
            focusFirst(event.currentTarget);
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (opener instanceof HTMLElement) opener.focus();
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
