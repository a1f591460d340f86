import {
  ArchiveRestore,
  CircleCheck,
  CircleSlash,
  History,
  type LucideIcon,
  OctagonAlert,
  Power,
  RefreshCw,
  Sprout,
  Trash2,
  Unplug,
} from "lucide-react";
import type { InstanceStatus, StepState } from "#server/api/views.ts";

type Look = { word: string; icon: LucideIcon; ink: string; tint: string };
const move = { ink: "text-move-ink", tint: "bg-move-tint" };
const bad = { ink: "text-bad-ink", tint: "bg-bad-tint" };

/** Every status has a word, an icon and a colour: a new one does not compile until it has all three. */
export const statusLooks: Record<InstanceStatus, Look> = {
  spawning: { word: "Spawning", icon: Sprout, ...move },
  running: { word: "Running", icon: CircleCheck, ink: "text-ok-ink", tint: "bg-ok-tint" },
  "backing-up": { word: "Backing up", icon: ArchiveRestore, ...move },
  restoring: { word: "Restoring", icon: History, ...move },
  updating: { word: "Updating", icon: RefreshCw, ...move },
  destroying: { word: "Destroying", icon: Trash2, ...bad },
  failed: { word: "Failed", icon: OctagonAlert, ...bad },
  unreachable: { word: "Unreachable", icon: Unplug, ink: "text-warn-ink", tint: "bg-warn-tint" },
  off: { word: "Off", icon: Power, ink: "text-ink-3", tint: "bg-hover" },
  destroyed: { word: "Destroyed", icon: CircleSlash, ink: "text-ink-3", tint: "bg-hover" },
};

/** In the order of the table above. */
export const allStatuses = Object.keys(statusLooks) as InstanceStatus[];

export const stepWords: Record<StepState, { word: string; ink: string }> = {
  waiting: { word: "Waiting", ink: "text-ink-3" },
  running: { word: "Running", ink: "text-move-ink" },
  done: { word: "Done", ink: "text-ink-3" },
  failed: { word: "Failed", ink: "text-bad-ink" },
  skipped: { word: "Skipped", ink: "text-ink-3" },
  cancelled: { word: "Cancelled", ink: "text-ink-3" },
};

export function StatusPill({ status }: { status: InstanceStatus }) {
  const { word, icon: Icon, ink, tint } = statusLooks[status];
  return (
    <span
      className={`inline-flex items-center gap-1.5 rounded-full px-2.5 py-0.5 text-sm font-medium ${ink} ${tint}`}
    >
      <Icon size={15} strokeWidth={1.9} aria-hidden />
      {word}
    </span>
  );
}

export function StatusWord({ status }: { status: InstanceStatus }) {
  const { word, icon: Icon, ink } = statusLooks[status];
  return (
    <span className={`inline-flex items-center gap-1.5 text-sm font-medium ${ink}`}>
      <Icon size={15} strokeWidth={1.9} aria-hidden />
      {word}
    </span>
  );
}
