"use client";
import type { ReactNode } from "react";
import { sentenceOf } from "#app/trpc.tsx";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";

type Props = {
  title: string;
  description: ReactNode;
  confirm: string;
  /** What the other button says, where “Cancel” would be mistaken for the deed. */
  keep?: string;
  /** It destroys something or can't be undone. */
  danger?: boolean;
  sending: boolean;
  error: unknown;
  onConfirm: () => void;
  onClose: () => void;
};

/** A question with two answers: the words of the button that asked, and the way back. */
export function Confirm(props: Props) {
  return (
    <Dialog
      open
      danger={props.danger === true}
      onOpenChange={props.onClose}
      title={props.title}
      description={props.description}
    >
      {props.error !== null && (
        <p role="alert" className="mt-3 text-sm text-bad-ink">
          {sentenceOf(props.error)}
        </p>
      )}
      <div className="mt-6 flex flex-wrap justify-end gap-2">
        <Button onClick={props.onClose}>{props.keep ?? "Cancel"}</Button>
        <Button
          look={props.danger === true ? "danger" : "primary"}
          sending={props.sending}
          onClick={props.onConfirm}
        >
          {props.confirm}
        </Button>
      </div>
    </Dialog>
  );
}
