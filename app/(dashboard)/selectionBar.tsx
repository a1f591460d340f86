"use client";
import { useMutation } from "@tanstack/react-query";
import { Archive, Trash2, X } from "lucide-react";
import dynamic from "next/dynamic";
import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import type { InstanceRow } from "../../server/views.ts";
import { money } from "../time.ts";
import { sentenceOf, useTRPC } from "../trpc.tsx";
import { Button } from "../ui/button.tsx";

const DestroyManyDialog = dynamic(() =>
  import("./destroyManyDialog.tsx").then((module) => module.DestroyManyDialog),
);

type Props = { rows: InstanceRow[]; onAll: () => void; onClear: () => void };

/** What can be done with all that is selected: one confirmation, and one page that shows all of it. */
export function SelectionBar({ rows, onAll, onClear }: Props) {
  const trpc = useTRPC();
  const router = useRouter();
  const [asks, setAsks] = useState(false);
  const backUp = useMutation(
    trpc.instances.inBulk.mutationOptions({
      onSuccess: ({ batchId, begun }) => begun > 0 && router.push(`/together/${batchId}`),
    }),
  );
  useEffect(() => {
    const clear = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !asks) onClear();
    };
    addEventListener("keydown", clear);
    return () => removeEventListener("keydown", clear);
  }, [asks, onClear]);
  const cannot = (action: "backUp" | "destroy") => {
    const count = rows.filter((row) => row.refusals[action] !== null).length;
    return count === 0 ? null : `Not possible with ${count} of them now.`;
  };
  const sum = rows.reduce((total, row) => total + row.priceMonthlyCents, 0);
  return (
    <section
      aria-label="Selection"
      className="sticky top-3 z-20 mt-4 flex flex-wrap items-center gap-x-4 gap-y-2 rounded-[14px] bg-raised px-4 py-2.5 shadow-pop"
    >
      <p className="grow" role="status">
        <strong className="font-semibold">{rows.length} selected</strong>{" "}
        <span className="text-ink-2 tabular-nums">{money(sum)} a month</span>
      </p>
      {backUp.isError && (
        <p role="alert" className="text-sm text-bad-ink">
          {sentenceOf(backUp.error)}
        </p>
      )}
      {(backUp.data?.refused ?? []).map(({ company, sentence }) => (
        <p key={company} role="alert" className="text-sm text-warn-ink">
          {company}: {sentence}
        </p>
      ))}
      <Button look="bare" onClick={onAll}>
        Select all
      </Button>
      <Button
        reason={cannot("backUp")}
        sending={backUp.isPending}
        onClick={() => backUp.mutate({ action: "backUp", instanceIds: rows.map((row) => row.id) })}
      >
        <Archive size={15} strokeWidth={1.9} aria-hidden />
        Back up
      </Button>
      <Button look="danger-line" reason={cannot("destroy")} onClick={() => setAsks(true)}>
        <Trash2 size={15} strokeWidth={1.9} aria-hidden />
        Destroy
      </Button>
      <Button look="bare" aria-label="Clear the selection" onClick={onClear}>
        <X size={15} strokeWidth={1.9} aria-hidden />
      </Button>
      {asks && <DestroyManyDialog rows={rows} onClose={() => setAsks(false)} />}
    </section>
  );
}
