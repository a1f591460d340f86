"use client";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import type { Chosen } from "#app/(dashboard)/_instances/chosen.ts";
import { useBulk } from "#app/(dashboard)/_instances/useBulk.ts";
import { money } from "#app/time.ts";
import { sentenceOf } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Dialog } from "#app/ui/dialog.tsx";
import { TextField } from "#app/ui/field.tsx";

/** Names all that goes, and wants their number typed. */
export function DestroyManyDialog({ chosen, onClose }: { chosen: Chosen; onClose: () => void }) {
  const [confirm, setConfirm] = useState("");
  const { rows, count } = chosen;
  const fits = confirm === String(count);
  const bulk = useBulk();
  const lost = rows.filter((row) => row.dropletGoneAt !== null).length;
  const without =
    lost === 0
      ? ""
      : ` ${lost === 1 ? "1 has no droplet any more and gets" : `${lost} have no droplet any more and get`} no snapshot.`;
  return (
    <Dialog
      open
      danger
      onOpenChange={onClose}
      title={`Destroy ${count} ${count === 1 ? "instance" : "instances"}?`}
      description={`Each droplet is destroyed only once its snapshot is complete.${without} ${chosen.monthlyCents === 0 ? "They cost nothing now." : `They cost ${money(chosen.monthlyCents)} a month now.`} Their snapshots will cost $0.06 per GB a month.`}
    >
      <ul
        aria-label="Instances to destroy"
        className="mt-4 max-h-50 overflow-auto border-y border-line text-sm"
      >
        {rows.map((row) => (
          <li key={row.id} className="flex justify-between gap-4 py-1.5">
            <span className="font-medium">{row.company}</span>
            <span className="truncate font-mono text-ink-3">{row.slug}</span>
          </li>
        ))}
        {count > rows.length && <li className="py-1.5 text-ink-3">and {count - rows.length} more</li>}
      </ul>
      <form className="mt-5 grid gap-5" onSubmit={(event) => event.preventDefault()}>
        <TextField
          id="confirm"
          label={`Type ${count} to confirm`}
          inputMode="numeric"
          autoFocus
          autoComplete="off"
          value={confirm}
          error={bulk.isError ? sentenceOf(bulk.error) : undefined}
          onChange={(event) => setConfirm(event.target.value)}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            look={fits ? "danger" : "danger-line"}
            sending={bulk.isPending}
            reason={fits ? null : `Type ${count} first.`}
            onClick={() =>
              bulk.mutate({ action: "destroy", confirm: count, ...chosen.target }, { onSuccess: onClose })
            }
          >
            <Trash2 size={15} strokeWidth={1.9} aria-hidden />
            Destroy
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
