"use client";
import { useQuery } from "@tanstack/react-query";
import { age, day, exact } from "#app/time.ts";
import { useTRPC } from "#app/trpc.tsx";
import type { HourView, InstanceDetail } from "#server/api/views.ts";
import { healthInWords, hourInWords } from "./healthWords.ts";

/** How the instance is now, and how it answered in the last 24 hours. */
export function Health({ instance, now }: { instance: InstanceDetail; now: number }) {
  const trpc = useTRPC();
  const isOver = instance.status === "destroyed";
  const health = useQuery({
    ...trpc.instances.health.queryOptions({ instanceId: instance.id }),
    enabled: !isOver,
  }).data;
  const answeredAt = health?.answeredAt ?? instance.answeredAt;
  const usualMs = health?.hours.findLast((hour) => hour.medianMs !== null)?.medianMs ?? instance.answeredInMs;
  return (
    <>
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <h2 className="text-lead font-semibold">{headline(instance, usualMs)}</h2>
        {answeredAt !== null && instance.status === "running" && instance.dropletGoneAt === null && (
          <p className="text-sm text-ink-3 tabular-nums">Checked {age(answeredAt, now)}</p>
        )}
      </div>
      {!isOver && health?.hours.some(({ state }) => state !== "unknown") && <Bar hours={health.hours} />}
    </>
  );
}

/** Each state has a height as well as a colour, and the sum in words below. */
const looks: Record<HourView["state"], string> = {
  up: "h-full bg-ok",
  slow: "h-2/3 bg-warn",
  down: "h-1/3 bg-bad",
  unknown: "h-1 bg-line-2",
};

function Bar({ hours }: { hours: HourView[] }) {
  const text = healthInWords(hours);
  return (
    <>
      <div role="img" aria-label={`Last 24 hours: ${text}`} className="mt-2 flex h-6 items-end gap-0.5">
        {hours.map((hour) => (
          <span key={hour.hour} className="flex h-full flex-1 items-end" title={hourInWords(hour)}>
            <span className={`w-full rounded-[2px] forced-colors:bg-[CanvasText] ${looks[hour.state]}`} />
          </span>
        ))}
      </div>
      <p className="mt-1 flex justify-between gap-2 text-xs text-ink-3" aria-hidden>
        <span className="shrink-0">24 h ago</span>
        <span className="text-center tabular-nums">{text}</span>
        <span>now</span>
      </p>
    </>
  );
}

function headline(instance: InstanceDetail, usualMs: number | null): string {
  if (instance.status === "destroyed") return `Destroyed on ${day(instance.destroyedAt ?? 0)}`;
  if (instance.dropletGoneAt !== null)
    return `Droplet missing at DigitalOcean since ${exact(instance.dropletGoneAt)}`;
  if (instance.status === "off") return "Switched off";
  if (instance.status === "unreachable" && instance.silentSince !== null)
    return `No answer since ${exact(instance.silentSince)}`;
  return usualMs === null ? "Not checked yet" : `Answers in ${usualMs} ms`;
}
