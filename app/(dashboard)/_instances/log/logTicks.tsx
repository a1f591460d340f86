import type { OperationView } from "#server/api/views.ts";

/** "Task 7 of 12 Pull the intranet image": how far the playbook is; nothing while no playbook runs. */
export function LogTicks({ operation }: { operation: OperationView }) {
  const step = operation.steps.find(
    (one) => one.progress?.total !== undefined && (one.state === "running" || one.state === "failed"),
  );
  const { index = 0, total, label } = step?.progress ?? {};
  if (step === undefined || total === undefined) return null;
  return (
    <div className="border-b border-line px-5 py-3">
      <p className="mb-2 text-sm">
        <strong className="font-semibold">
          Task {index} of {total}
        </strong>{" "}
        <span className="text-ink-2">{label}</span>
      </p>
      <div className="flex gap-1" aria-hidden>
        {Array.from({ length: total }, (_, at) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: nothing but shape
            key={at}
            className={`h-1 grow rounded-full ${at + 1 < index ? "bg-ink" : at + 1 === index ? (step.state === "failed" ? "bg-bad" : "bg-move") : "bg-line-2"}`}
          />
        ))}
      </div>
    </div>
  );
}
