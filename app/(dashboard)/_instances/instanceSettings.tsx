"use client";
import { useMutation } from "@tanstack/react-query";
import { Lock } from "lucide-react";
import { day } from "#app/time.ts";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import type { InstanceDetail } from "#server/api/views.ts";
import { useStartedOperation } from "./useStartedOperation.ts";

export function InstanceSettings({ instance }: { instance: InstanceDetail }) {
  return (
    <div className="max-w-180 px-4 py-7 md:px-10">
      <Protection instance={instance} />
      <Variables instance={instance} />
      <PutBack instance={instance} />
    </div>
  );
}

function Protection({ instance }: { instance: InstanceDetail }) {
  const trpc = useTRPC();
  const protect = useMutation(trpc.instances.protect.mutationOptions());
  if (instance.status === "destroyed") return null;
  return (
    <section aria-labelledby="protection" className="flex flex-wrap items-start justify-between gap-4">
      <div className="max-w-prose">
        <h2 id="protection" className="text-lead font-semibold">
          Protection
        </h2>
        <p className="text-ink-2">
          {instance.isProtected
            ? "It can’t be destroyed until you remove protection."
            : "Anyone signed in can destroy it by typing its slug."}
        </p>
        {protect.isError && (
          <p role="alert" className="mt-1 text-sm text-bad-ink">
            {sentenceOf(protect.error)}
          </p>
        )}
      </div>
      <Button
        sending={protect.isPending}
        onClick={() => protect.mutate({ instanceId: instance.id, isProtected: !instance.isProtected })}
      >
        {instance.isProtected ? "Remove protection" : "Protect instance"}
      </Button>
    </section>
  );
}

/** One click back to the variables from before. */
function PutBack({ instance }: { instance: InstanceDetail }) {
  const trpc = useTRPC();
  const begun = useStartedOperation(instance);
  const restore = useMutation(trpc.instances.restoreVariables.mutationOptions({ onSuccess: begun }));
  const { previousVariables } = instance;
  if (previousVariables === null || instance.status === "destroyed") return null;
  const names = previousVariables.variables.map((variable) => variable.name).join(", ");
  return (
    <section
      aria-label="Previous variables"
      className="mt-6 flex flex-wrap items-start justify-between gap-4"
    >
      <p className="min-w-0 max-w-prose break-words text-sm text-ink-2">
        Previously set: {names === "" ? "none" : <span className="font-mono">{names}</span>}.
      </p>
      <Button
        sending={restore.isPending}
        reason={instance.refusals["edit-variables"]}
        onClick={() => restore.mutate({ instanceId: instance.id, set: previousVariables.set })}
      >
        Revert to previous variables
      </Button>
      {restore.isError && (
        <p role="alert" className="w-full text-sm text-bad-ink">
          {sentenceOf(restore.error)}
        </p>
      )}
    </section>
  );
}

/** The variables in effect; a secret's value never comes here. */
export function Variables({ instance }: { instance: InstanceDetail }) {
  const { variables } = instance;
  const secrets = variables.filter((variable) => variable.secret).length;
  return (
    <section aria-labelledby="variables" className="mt-8 first:mt-0">
      <div className="mb-2 flex items-baseline justify-between">
        <h2 id="variables" className="text-lead font-semibold">
          Variables
        </h2>
        <span className="text-sm text-ink-3">
          {variables.length === 0 ? "none" : `${secrets} of ${variables.length} are secret`}
        </span>
      </div>
      <dl className="border-t border-line">
        {variables.map((variable) => (
          <div key={variable.name} className="grid grid-cols-2 gap-4 border-b border-line py-3 text-sm">
            <dt className="font-mono break-all text-ink-2">{variable.name}</dt>
            <dd className="min-w-0 font-mono break-words whitespace-pre-wrap">
              {variable.value ?? (
                <span className="inline-flex items-center gap-2 font-sans text-ink-3">
                  <Lock size={14} aria-hidden />
                  Secret, set {day(variable.setAt)}
                </span>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
