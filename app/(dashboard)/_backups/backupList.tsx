"use client";
import { Check, Ellipsis, History, OctagonAlert, RefreshCw, ShieldCheck } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { offlineReason, useConnection } from "#app/live.tsx";
import { age, bytes, counted, duration, exact, useNow } from "#app/time.ts";
import { Button, buttonClass } from "#app/ui/button.tsx";
import { Days } from "#app/ui/days.tsx";
import { lazily } from "#app/ui/lazily.tsx";
import { Menu } from "#app/ui/menu.tsx";
import { Empty } from "#app/ui/notice.tsx";
import type { BackupReason, BackupView, Refusals } from "#server/api/views.ts";

const RestoreDialog = lazily(
  () =>
    import("#app/(dashboard)/_instances/dialogs/simpleDialogs.tsx").then((module) => module.RestoreDialog),
  { isOverlay: true },
);
const TestRestoreDialog = lazily(
  () =>
    import("#app/(dashboard)/_instances/dialogs/simpleDialogs.tsx").then(
      (module) => module.TestRestoreDialog,
    ),
  { isOverlay: true },
);
const RestoreAsNewDialog = lazily(
  () => import("./restoreAsNewDialog.tsx").then((module) => module.RestoreAsNewDialog),
  { isOverlay: true },
);

const reasons: Record<BackupReason, string> = {
  manual: "On demand",
  scheduled: "Scheduled",
  "before-restore": "Before a restore",
  "before-upgrade": "Before an upgrade",
};

type Props = {
  backups: BackupView[];
  /** What may be done with their one instance now, where that is known better than each of them does. */
  refusals?: Refusals;
  /** Whether each row names its instance. */
  named?: boolean;
};
type Asked = { dialog: "restore" | "test" | "new"; backup: BackupView };

/** Backups by day, newest first: how old, why, how large, whether their restore was tested, and Restore. */
export function BackupList({ backups, refusals, named = false }: Props) {
  const [asked, setAsked] = useState<Asked>();
  const now = useNow(30_000);
  if (backups.length === 0)
    return (
      <Empty title="No backups yet.">
        <p className="max-w-prose text-ink-2">
          Back up now, or schedule backups daily or weekly. A backup counts as good once it has been stored
          and read back.
        </p>
      </Empty>
    );
  return (
    <>
      <Days items={backups} keyOf={(backup) => backup.id} atOf={(backup) => backup.createdAt} estimate={59}>
        {(backup) => (
          <Row
            {...{ backup, named, now }}
            refusals={refusals ?? backup.refusals}
            onAsk={(dialog) => setAsked({ dialog, backup })}
          />
        )}
      </Days>
      {asked?.dialog === "restore" && (
        <RestoreDialog backup={asked.backup} onClose={() => setAsked(undefined)} />
      )}
      {asked?.dialog === "test" && (
        <TestRestoreDialog backup={asked.backup} onClose={() => setAsked(undefined)} />
      )}
      {asked?.dialog === "new" && (
        <RestoreAsNewDialog backup={asked.backup} onClose={() => setAsked(undefined)} />
      )}
    </>
  );
}

function Row(props: {
  backup: BackupView;
  named: boolean;
  now: number;
  refusals: Refusals;
  onAsk: (dialog: Asked["dialog"]) => void;
}) {
  const { backup, named, now, refusals, onAsk } = props;
  const connection = useConnection();
  const offline = connection.live ? null : offlineReason;
  const bad = backup.state === "good" ? null : "Only a good backup can be restored.";
  const counts = Object.entries(backup.counts).map(([what, count]) => counted(count, what));
  const taken = backup.takenAt ?? backup.createdAt;
  return (
    <div className="grid grid-cols-[1fr_auto] items-center gap-x-4 gap-y-1 border-b border-line py-2.5 max-md:items-start md:grid-cols-[minmax(0,4fr)_minmax(0,2fr)_minmax(0,2fr)_minmax(0,4fr)_auto]">
      <div className="min-w-0">
        {named ? (
          <Link
            href={`/instances/${backup.slug}?id=${backup.instanceId}&tab=backups`}
            className="font-medium"
          >
            {backup.company}
          </Link>
        ) : (
          <span className="font-medium">{reasons[backup.reason]}</span>
        )}
        <span className="block text-sm text-ink-3">
          {named && `${reasons[backup.reason]}, `}
          {backup.version}
          {counts.length > 0 && `, ${counts.join(", ")}`}
          {backup.bytes !== null && <span className="md:hidden">, {bytes(backup.bytes)}</span>}
        </span>
      </div>
      <time
        dateTime={new Date(taken).toISOString()}
        title={exact(taken)}
        className="text-sm text-ink-2 tabular-nums max-md:text-right"
      >
        {age(taken, now)}
      </time>
      <span className="text-sm text-ink-2 tabular-nums max-md:hidden">
        {backup.bytes === null ? "–" : bytes(backup.bytes)}
      </span>
      <RestoreTest backup={backup} now={now} />
      <span className="flex justify-end gap-1">
        <Button reason={offline ?? bad ?? refusals.restore} onClick={() => onAsk("restore")}>
          <History size={15} strokeWidth={1.9} aria-hidden />
          <span>
            Restore
            <span className="sr-only">
              {" "}
              {backup.company}, {exact(taken)}
            </span>
          </span>
        </Button>
        <Menu
          label={`More actions for the backup of ${backup.company}, ${exact(taken)}`}
          className={buttonClass("bare")}
          align="end"
          width="w-60"
          items={[
            { label: "Restore as a new instance", reason: bad, onChoose: () => onAsk("new") },
            { label: "Test restore", reason: bad ?? refusals["test-restore"], onChoose: () => onAsk("test") },
          ]}
        >
          <Ellipsis size={15} strokeWidth={1.9} aria-hidden />
        </Menu>
      </span>
    </div>
  );
}

function RestoreTest({ backup, now }: { backup: BackupView; now: number }) {
  const icon = { size: 15, strokeWidth: 1.9, className: "shrink-0", "aria-hidden": true } as const;
  const line = (ink: string, sign: React.ReactNode, text: string) => (
    <span className={`flex min-w-0 items-center gap-1.5 text-sm ${ink}`}>
      {sign}
      {text}
    </span>
  );
  if (backup.state === "running") return line("text-move-ink", <RefreshCw {...icon} />, "In progress");
  if (backup.state === "failed")
    return line("text-bad-ink", <OctagonAlert {...icon} />, "Failed: not verified");
  if (backup.restoreTestFailure !== null)
    return line("text-bad-ink", <OctagonAlert {...icon} />, backup.restoreTestFailure);
  if (backup.restoreTestedAt === null) return line("text-ink-2", <Check {...icon} />, "Good: verified");
  const took = backup.restoreTestedInMs === null ? "" : `, took ${duration(backup.restoreTestedInMs)}`;
  return line(
    "text-ok-ink",
    <ShieldCheck {...icon} />,
    `Restore tested ${age(backup.restoreTestedAt, now)}${took}`,
  );
}
