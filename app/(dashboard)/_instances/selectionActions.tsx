"use client";
import { Archive, Trash2 } from "lucide-react";
import { useState } from "react";
import { sentenceOf } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { lazily } from "#app/ui/lazily.tsx";
import { useToast } from "#app/ui/toast.tsx";
import { maxBulk, tooManyAtOnce } from "#server/api/views.ts";
import type { Chosen } from "./chosen.ts";
import { useBulk } from "./useBulk.ts";

const DestroyManyDialog = lazily(
  () => import("./dialogs/destroyManyDialog.tsx").then((module) => module.DestroyManyDialog),
  { isOverlay: true },
);

/** What can be done with all that is selected: one confirmation, and one page that shows all of it. */
export function SelectionActions({ chosen }: { chosen: Chosen }) {
  const say = useToast();
  const [asks, setAsks] = useState(false);
  const bulk = useBulk();
  const { rows, target } = chosen;
  const cannot = (kind: "backup" | "destroy") => {
    if (chosen.count > maxBulk) return tooManyAtOnce(chosen.count);
    const count = rows.filter((row) => row.refusals[kind] !== undefined).length;
    return count === 0 ? null : `Not available for ${count} of them right now.`;
  };
  return (
    <>
      <Button
        reason={cannot("backup")}
        sending={bulk.isPending}
        onClick={() =>
          bulk.mutate({ action: "backUp", ...target }, { onError: (error) => say(sentenceOf(error)) })
        }
      >
        <Archive size={15} strokeWidth={1.9} className="max-md:hidden" aria-hidden />
        Back up
      </Button>
      <Button look="danger-line" reason={cannot("destroy")} onClick={() => setAsks(true)}>
        <Trash2 size={15} strokeWidth={1.9} className="max-md:hidden" aria-hidden />
        Destroy
      </Button>
      {asks && <DestroyManyDialog chosen={chosen} onClose={() => setAsks(false)} />}
    </>
  );
}
