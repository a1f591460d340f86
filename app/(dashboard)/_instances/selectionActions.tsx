"use client";
import { Archive, Trash2 } from "lucide-react";
import dynamic from "next/dynamic";
import { useState } from "react";
import { sentenceOf } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { useToast } from "#app/ui/toast.tsx";
import type { InstanceRow } from "#server/api/views.ts";
import { useBulk } from "./useBulk.ts";

const DestroyManyDialog = dynamic(
  () => import("./dialogs/destroyManyDialog.tsx").then((module) => module.DestroyManyDialog),
  { ssr: false },
);

/** What can be done with all that is selected: one confirmation, and one page that shows all of it. */
export function SelectionActions({ rows }: { rows: InstanceRow[] }) {
  const say = useToast();
  const [asks, setAsks] = useState(false);
  const bulk = useBulk();
  const cannot = (action: "backUp" | "destroy") => {
    const count = rows.filter((row) => row.refusals[action] !== null).length;
    return count === 0 ? null : `Not available for ${count} of them right now.`;
  };
  return (
    <>
      <Button
        reason={cannot("backUp")}
        sending={bulk.isPending}
        onClick={() =>
          bulk.mutate(
            { action: "backUp", instanceIds: rows.map((row) => row.id) },
            { onError: (error) => say(sentenceOf(error)) },
          )
        }
      >
        <Archive size={15} strokeWidth={1.9} className="max-md:hidden" aria-hidden />
        Back up
      </Button>
      <Button look="danger-line" reason={cannot("destroy")} onClick={() => setAsks(true)}>
        <Trash2 size={15} strokeWidth={1.9} className="max-md:hidden" aria-hidden />
        Destroy
      </Button>
      {asks && <DestroyManyDialog rows={rows} onClose={() => setAsks(false)} />}
    </>
  );
}
