"use client";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useStartedOperation } from "#app/(dashboard)/_instances/useStartedOperation.ts";
import { fieldErrors, sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Dialog } from "#app/ui/dialog.tsx";
import { TextField } from "#app/ui/field.tsx";
import type { InstanceDetail } from "#server/api/views.ts";
import { renameInput } from "#server/instances/inputs.ts";

type Names = Pick<InstanceDetail, "company" | "contactName" | "contactEmail">;
const fields: { name: keyof Names; label: string; type?: string }[] = [
  { name: "company", label: "Company" },
  { name: "contactName", label: "Contact name" },
  { name: "contactEmail", label: "Contact email", type: "email" },
];

/** Validation errors by field. */
function problemsOf(names: Names): Partial<Record<string, string>> {
  const { error } = renameInput.omit({ instanceId: true }).safeParse(names);
  return Object.fromEntries((error?.issues ?? []).map(({ path, message }) => [path.join("."), message]));
}

/** Asks for the company's new name and contact. */
export function RenameDialog({ instance, onClose }: { instance: InstanceDetail; onClose: () => void }) {
  const trpc = useTRPC();
  const begun = useStartedOperation(instance, onClose);
  const { company, contactName, contactEmail } = instance;
  const [names, setNames] = useState<Names>({ company, contactName, contactEmail });
  const rename = useMutation(trpc.instances.rename.mutationOptions({ onSuccess: begun }));
  const isChanged = fields.some(({ name }) => names[name].trim() !== instance[name]);
  const problems = { ...problemsOf(names), ...fieldErrors(rename.error) };
  const blocked = isChanged ? null : "No changes yet.";
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Rename ${company}?`}
      description="The intranet restarts with the new name, which takes a few seconds. Its address stays the same."
    >
      <form
        className="mt-5 grid gap-5"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (blocked === null && !rename.isPending) rename.mutate({ instanceId: instance.id, ...names });
        }}
      >
        {fields.map(({ name, label, type }) => (
          <TextField
            key={name}
            id={name}
            label={label}
            type={type ?? "text"}
            autoFocus={name === "company"}
            autoComplete="off"
            value={names[name]}
            error={problems[name]}
            onChange={(event) => {
              if (rename.isError) rename.reset();
              setNames({ ...names, [name]: event.target.value });
            }}
          />
        ))}
        {rename.isError && Object.keys(problems).length === 0 && (
          <p role="alert" className="text-sm text-bad-ink">
            {sentenceOf(rename.error)}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" sending={rename.isPending} reason={blocked}>
            Rename
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
