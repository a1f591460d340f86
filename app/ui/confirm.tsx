"use client";
import type { ReactNode } from "react";
import { sentenceOf } from "#app/trpc.tsx";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";

type Props = {
  title: string;
  description: ReactNode;
  confirm: string;
  keep: string;
  danger?: boolean;
  sending: boolean;
  error: unknown;
  onConfirm: () => void;
  onClose: () => void;
};

/** A question with two answers: the words of the button that asked, and the way back. */
export function Confirm(props: Props) {
  return (
    <Dialog open onOpenChange={props.onClose} title={props.title} description={props.description}>
      {props.error !== null && (
        <p role="alert" className="mt-3 text-sm text-bad-ink">
          {sentenceOf(props.error)}
        </p>
      )}
      <div className="mt-6 flex flex-wrap justify-end gap-2">
        <Button onClick={props.onClose}>{props.keep}</Button>
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
