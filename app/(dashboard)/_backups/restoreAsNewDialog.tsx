"use client";
import { useMutation } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { newIdempotencyKey } from "#app/idempotencyKey.ts";
import { exact } from "#app/time.ts";
import { fieldErrors, sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Dialog } from "#app/ui/dialog.tsx";
import { TextField } from "#app/ui/field.tsx";
import type { BackupView } from "#server/api/views.ts";
import { slugProblem, suggestSlug } from "#server/instances/rules.ts";

/** A second instance from a backup: what it is to be called, and where it is to be. */
export function RestoreAsNewDialog({ backup, onClose }: { backup: BackupView; onClose: () => void }) {
  const trpc = useTRPC();
  const router = useRouter();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const [company, setCompany] = useState(`${backup.company} copy`);
  const [typed, setTyped] = useState<string>();
  const slug = typed ?? suggestSlug(company);
  const restore = useMutation(
    trpc.instances.restoreAsNew.mutationOptions({
      onSuccess: (begun) => {
        onClose();
        router.push(`/instances/${begun.slug}?operation=${begun.operationId}`);
      },
    }),
  );
  const sent = fieldErrors(restore.error);
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title="Restore as a new instance?"
      description={`We create a second droplet with the same size, contact and variables as ${backup.company}, and the data from ${exact(backup.takenAt ?? backup.createdAt)}. It costs the same again. The original isn't changed.`}
    >
      <form
        className="mt-5 grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (!restore.isPending) restore.mutate({ idempotencyKey, backupId: backup.id, company, slug });
        }}
      >
        <TextField
          id="company"
          label="Company"
          autoFocus
          value={company}
          error={sent.company}
          onChange={(event) => setCompany(event.target.value)}
        />
        <TextField
          id="slug"
          label="Slug"
          mono
          autoComplete="off"
          value={slug}
          error={sent.slug ?? slugProblem(slug)}
          onChange={(event) => {
            if (restore.isError) restore.reset();
            setTyped(event.target.value);
          }}
        />
        {restore.isError && Object.keys(sent).length === 0 && (
          <p role="alert" className="text-sm text-bad-ink">
            {sentenceOf(restore.error)}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" sending={restore.isPending}>
            Restore as a new instance
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
