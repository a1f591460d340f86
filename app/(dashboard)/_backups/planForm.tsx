"use client";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { exact } from "#app/time.ts";
import { fieldErrors, sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { SelectField, TextField } from "#app/ui/field.tsx";
import type { BackupPlan, InstanceDetail } from "#server/api/views.ts";
import { backupPlanInput } from "#server/instances/inputs.ts";

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** When backups are made, how many are kept and for how long, and how often one of them is test-restored. */
export function PlanForm({ instance }: { instance: InstanceDetail }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const [plan, setPlan] = useState<BackupPlan>(() =>
    instance.backupPlan.setAt === 0
      ? { ...instance.backupPlan, timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone }
      : instance.backupPlan,
  );
  const save = useMutation(
    trpc.instances.setBackupPlan.mutationOptions({
      onSuccess: () => queryClient.invalidateQueries({ queryKey: trpc.instances.get.queryKey() }),
    }),
  );
  const edit = (part: Partial<BackupPlan>) => {
    save.reset();
    setPlan({ ...plan, ...part });
  };
  const parsed = backupPlanInput.safeParse(plan);
  const problems: Record<string, string> = parsed.success
    ? {}
    : Object.fromEntries(parsed.error.issues.map((issue) => [issue.path.join("."), issue.message]));
  const sent = fieldErrors(save.error);
  const error = (name: string) => problems[name] ?? sent[`plan.${name}`];
  const isPlanned = plan.every !== "never";
  return (
    <form
      className="mt-10 max-w-180"
      aria-labelledby="plan"
      onSubmit={(event) => {
        event.preventDefault();
        if (parsed.success && !save.isPending) save.mutate({ instanceId: instance.id, plan: parsed.data });
      }}
    >
      <h2 id="plan" className="text-lead font-semibold">
        Schedule
      </h2>
      <p className="mb-4 text-ink-2">
        {instance.nextBackupAt === null
          ? "No backups scheduled."
          : `Next backup: ${exact(instance.nextBackupAt)}.`}
      </p>
      <div className="grid gap-4 sm:grid-cols-4">
        <SelectField
          id="every"
          label="Frequency"
          value={plan.every}
          onChange={(event) => edit({ every: everyOf(event.target.value) })}
        >
          <option value="never">Manual only</option>
          <option value="day">Daily</option>
          <option value="week">Weekly</option>
        </SelectField>
        {plan.every === "week" && (
          <SelectField
            id="weekday"
            label="Day"
            value={plan.weekday}
            onChange={(event) => edit({ weekday: Number(event.target.value) })}
          >
            {weekdays.map((name, index) => (
              <option key={name} value={index}>
                {name}
              </option>
            ))}
          </SelectField>
        )}
        {isPlanned && (
          <>
            <TextField
              id="at"
              label="Time"
              type="time"
              value={plan.at}
              error={error("at")}
              onChange={(event) => edit({ at: event.target.value })}
            />
            <TextField
              id="timeZone"
              label="Time zone"
              value={plan.timeZone}
              error={error("timeZone")}
              onChange={(event) => edit({ timeZone: event.target.value })}
            />
          </>
        )}
      </div>
      <div className="mt-4 grid gap-4 sm:grid-cols-4">
        <TextField
          id="keepCount"
          label="Backups to keep"
          type="number"
          min={1}
          value={plan.keepCount}
          error={error("keepCount")}
          onChange={(event) => edit({ keepCount: event.target.valueAsNumber })}
        />
        <TextField
          id="keepDays"
          label="Days to keep"
          type="number"
          min={1}
          value={plan.keepDays}
          error={error("keepDays")}
          onChange={(event) => edit({ keepDays: event.target.valueAsNumber })}
        />
        <SelectField
          id="testRestoreEvery"
          label="Test restore"
          value={plan.testRestoreEvery}
          onChange={(event) => edit({ testRestoreEvery: testRestoreOf(event.target.value) })}
        >
          <option value="never">Manual only</option>
          <option value="week">Weekly</option>
          <option value="month">Monthly</option>
        </SelectField>
      </div>
      <p className="mt-2 text-sm text-ink-3">The last good backup is never deleted.</p>
      <div className="mt-4 flex items-center gap-4">
        <Button type="submit" sending={save.isPending}>
          Save schedule
        </Button>
        <span role="status" className="text-sm text-ink-2">
          {save.isSuccess ? "Saved." : ""}
        </span>
        {save.isError && (
          <span role="alert" className="text-sm text-bad-ink">
            {sentenceOf(save.error)}
          </span>
        )}
      </div>
    </form>
  );
}

const everyOf = (value: string): BackupPlan["every"] =>
  value === "day" || value === "week" ? value : "never";
const testRestoreOf = (value: string): BackupPlan["testRestoreEvery"] =>
  value === "week" || value === "month" ? value : "never";
