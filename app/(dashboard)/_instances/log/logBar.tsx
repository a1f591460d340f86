"use client";
import { ChevronUp } from "lucide-react";
import { useRef, useState } from "react";
import { lazily } from "#app/ui/lazily.tsx";
import type { InstanceDetail, OperationView } from "#server/api/views.ts";
import { useLogLines } from "./useLogLines.ts";

const LogSheet = lazily(() => import("./logSheet.tsx").then((module) => module.LogSheet), {
  isOverlay: true,
});

/** The log on a phone: its last line above the navigation; all of it in a sheet. */
export function LogBar({
  instance,
  operation,
  step,
}: {
  instance: InstanceDetail;
  operation: OperationView;
  step: string | undefined;
}) {
  const [open, setOpen] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const last = useLogLines(operation, step).at(-1);
  return (
    <>
      <section
        aria-label="Log"
        // Radix hides what is behind a dialog, but nothing that holds a live region.
        inert={open}
        aria-hidden={open || undefined}
        className="fixed inset-x-0 bottom-16 z-20 flex h-13 items-center gap-3 border-t border-line bg-sunken px-4"
      >
        <h2 className="font-semibold">Log</h2>
        <p
          role="log"
          aria-live="off"
          className={`min-w-0 grow truncate font-mono text-sm ${last?.failed === true ? "text-bad-ink" : "text-ink-2"}`}
        >
          {last?.text ?? (operation.endedAt === null ? "No output yet." : "No output.")}
        </p>
        <button
          type="button"
          ref={opener}
          aria-label="Open the log"
          aria-haspopup="dialog"
          className="-mr-2 grid size-9 place-items-center after:absolute after:inset-0"
          onClick={() => setOpen(true)}
        >
          <ChevronUp size={18} strokeWidth={1.9} className="text-ink-2" aria-hidden />
        </button>
      </section>
      {open && <LogSheet {...{ instance, operation, step, opener }} onClose={() => setOpen(false)} />}
    </>
  );
}
