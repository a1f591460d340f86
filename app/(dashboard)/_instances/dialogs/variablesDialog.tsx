"use client";
import { useMutation } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { useState } from "react";
import { addVariableId, focusVariableAfter } from "#app/(dashboard)/_instances/focusVariable.ts";
import { useStartedOperation } from "#app/(dashboard)/_instances/useStartedOperation.ts";
import { type Difference, differences, type Edited } from "#app/(dashboard)/_instances/variableDifference.ts";
import { fieldErrors, sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Dialog } from "#app/ui/dialog.tsx";
import { AreaField, TextField } from "#app/ui/field.tsx";
import type { InstanceDetail } from "#server/api/views.ts";
import { suggestVariableName, variableNameProblem } from "#server/instances/rules.ts";

/** First the edit, then the difference it makes, then it happens. */
export function VariablesDialog({ instance, onClose }: { instance: InstanceDetail; onClose: () => void }) {
  const trpc = useTRPC();
  const begun = useStartedOperation(instance, onClose);
  const [rows, setRows] = useState<Edited[]>(() =>
    instance.variables.map(({ name, value, secret }) => ({ name, value, secret, kept: secret })),
  );
  const [shows, setShows] = useState(false);
  const edit = useMutation(trpc.instances.editVariables.mutationOptions({ onSuccess: begun }));
  const changes = differences(instance.variables, rows);
  const sent = fieldErrors(edit.error);
  const problems = rows.map((row, index) =>
    rows.some((other, at) => at < index && other.name === row.name)
      ? `${row.name} is already in the list.`
      : variableNameProblem(row.name),
  );
  const set = (index: number, part: Partial<Edited>) => {
    if (edit.isError) edit.reset();
    setRows(rows.map((row, at) => (at === index ? { ...row, ...part } : row)));
  };
  const isSound = problems.every((problem) => problem === undefined);
  return (
    <Dialog
      open
      isEdited={changes.length > 0}
      onOpenChange={onClose}
      title={shows ? "Review changes" : `Edit the variables of ${instance.company}`}
      description={
        shows
          ? "The intranet restarts with them, which takes a few seconds. If it doesn't answer, we put the previous variables back automatically."
          : "A secret keeps its value until you type another one."
      }
    >
      {shows ? (
        <DifferenceList changes={changes} />
      ) : (
        <div className="mt-4 grid gap-4">
          {rows.map((row, index) => (
            <div
              // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other identity, and their fields are controlled
              key={index}
              className="grid grid-cols-[minmax(0,1fr)_auto] items-start gap-3 border-b border-line pb-4 sm:grid-cols-[minmax(0,2fr)_minmax(0,3fr)_auto]"
            >
              <div className="grid gap-2">
                <TextField
                  id={`variables.${index}.name`}
                  label="Variable name"
                  mono
                  autoComplete="off"
                  spellCheck={false}
                  value={row.name}
                  error={row.name === "" ? undefined : problems[index]}
                  repair={
                    suggestVariableName(row.name) === row.name
                      ? undefined
                      : {
                          label: `Use ${suggestVariableName(row.name)}`,
                          onRepair: () => set(index, { name: suggestVariableName(row.name) }),
                        }
                  }
                  onChange={(event) =>
                    set(index, { name: event.target.value, kept: false, value: row.value ?? "" })
                  }
                />
                <label className="touch flex items-center gap-2 text-sm">
                  <input
                    type="checkbox"
                    className="size-4 accent-(--ink)"
                    checked={row.secret}
                    onChange={(event) =>
                      set(index, { secret: event.target.checked, kept: false, value: row.value ?? "" })
                    }
                  />
                  Secret
                </label>
              </div>
              <div className="max-sm:order-last max-sm:col-span-2">
                <AreaField
                  id={`variables.${index}.value`}
                  label="Variable value"
                  rows={1}
                  spellCheck={false}
                  autoComplete="off"
                  masked={row.secret}
                  placeholder={row.kept ? "unchanged" : undefined}
                  value={row.value ?? ""}
                  error={sent[`variables.${index}.value`]}
                  onChange={(event) => set(index, { value: event.target.value, kept: false })}
                />
              </div>
              <div className="mt-6.5">
                <Button
                  look="bare"
                  aria-label={`Remove ${row.name || `variable ${index + 1}`}`}
                  onClick={() =>
                    focusVariableAfter(
                      () => setRows(rows.filter((_, at) => at !== index)),
                      Math.min(index, rows.length - 2),
                    )
                  }
                >
                  <X size={15} strokeWidth={1.9} aria-hidden />
                </Button>
              </div>
            </div>
          ))}
          <div>
            <Button
              id={addVariableId}
              onClick={() =>
                focusVariableAfter(
                  () => setRows([...rows, { name: "", value: "", secret: false, kept: false }]),
                  rows.length,
                )
              }
            >
              <Plus size={15} strokeWidth={1.9} aria-hidden />
              Add variable
            </Button>
          </div>
        </div>
      )}
      {edit.isError && (
        <p role="alert" className="mt-3 text-sm text-bad-ink">
          {sentenceOf(edit.error)}
        </p>
      )}
      <div className="mt-6 flex justify-end gap-2">
        <Button onClick={shows ? () => setShows(false) : onClose}>{shows ? "Keep editing" : "Cancel"}</Button>
        {shows ? (
          <Button
            look="primary"
            sending={edit.isPending}
            onClick={() =>
              edit.mutate({
                instanceId: instance.id,
                variables: rows.map(({ name, value, secret, kept }) => ({
                  name,
                  secret,
                  value: kept ? null : (value ?? ""),
                })),
              })
            }
          >
            Edit variables
          </Button>
        ) : (
          <Button
            look="primary"
            reason={
              changes.length === 0 ? "No changes yet." : isSound ? null : "Fix the highlighted fields first."
            }
            onClick={() => setShows(true)}
          >
            Review changes
          </Button>
        )}
      </div>
    </Dialog>
  );
}

const looks: Record<Difference["change"], { sign: string; word: string; ink: string }> = {
  added: { sign: "+", word: "Added", ink: "text-ok-ink" },
  removed: { sign: "–", word: "Removed", ink: "text-bad-ink" },
  changed: { sign: "~", word: "Changed", ink: "text-move-ink" },
};

function DifferenceList({ changes }: { changes: Difference[] }) {
  return (
    <ul aria-label="Differences" className="mt-4 border-t border-line">
      {changes.map(({ name, change, before, after }) => (
        <li
          key={name}
          className="grid grid-cols-[96px_minmax(0,1fr)] gap-3 border-b border-line py-2.5 text-sm"
        >
          <span className={looks[change].ink}>
            <span aria-hidden className="inline-block w-4 font-mono">
              {looks[change].sign}
            </span>
            {looks[change].word}
          </span>
          <span className="min-w-0">
            <span className="block font-mono break-all">{name}</span>
            {before !== null && (
              <s className="block font-mono break-words whitespace-pre-wrap text-ink-3">{before}</s>
            )}
            {after !== null && (
              <span className="block font-mono break-words whitespace-pre-wrap">{after}</span>
            )}
            {before === null && after === null && <span className="text-ink-3">Secret</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}
