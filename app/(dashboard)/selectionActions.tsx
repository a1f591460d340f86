"use client";
import { useMutation } from "@tanstack/react-query";
import { Archive, Trash2 } from "lucide-react";
import dynamic from "next/dynamic";
import { useRouter } from "next/navigation";
import { useState } from "react";
import type { InstanceRow } from "../../server/views.ts";
import { sentenceOf, useTRPC } from "../trpc.tsx";
import { Button } from "../ui/button.tsx";
import { useToast } from "../ui/toast.tsx";

const DestroyManyDialog = dynamic(() =>
  import("./destroyManyDialog.tsx").then((module) => module.DestroyManyDialog),
);

/** What can be done with all that is selected: one confirmation, and one page that shows all of it. */
export function SelectionActions({ rows }: { rows: InstanceRow[] }) {
  const trpc = useTRPC();
  const router = useRouter();
  const say = useToast();
  const [asks, setAsks] = useState(false);
  const backUp = useMutation(
    trpc.instances.inBulk.mutationOptions({
      onSuccess: ({ batchId, begun, refused }) => {
        if (refused.length > 0)
          say(refused.map(({ company, sentence }) => `${company}: ${sentence}`).join(" "));
        if (begun > 0) router.push(`/together/${batchId}`);
      },
      onError: (error) => say(sentenceOf(error)),
    }),
  );
  const cannot = (action: "backUp" | "destroy") => {
    const count = rows.filter((row) => row.refusals[action] !== null).length;
    return count === 0 ? null : `Not possible with ${count} of them now.`;
  };
  return (
    <>
      <Button
        reason={cannot("backUp")}
        sending={backUp.isPending}
        onClick={() => backUp.mutate({ action: "backUp", instanceIds: rows.map((row) => row.id) })}
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
