"use client";
import { OctagonAlert, RefreshCw, Trash2 } from "lucide-react";
import Link from "next/link";
import { offlineReason, useConnection } from "#app/live.tsx";
import { age, exact, money } from "#app/time.ts";
import { Address } from "#app/ui/address.tsx";
import { Button, buttonClass } from "#app/ui/button.tsx";
import type { DriftAction, DriftView } from "#server/api/views.ts";
import { aboutOf, actionWords, inSentence, nameOf, sentenceFor } from "./words.tsx";

/** The columns of a row, and of what stands above them. */
export const columns =
  "gap-x-6 md:grid-cols-[minmax(0,5fr)_minmax(0,6fr)_176px] lg:grid-cols-[minmax(0,5fr)_minmax(0,6fr)_84px_84px_176px]";

type Props = { view: DriftView; now: number; onAsk: (action: DriftAction) => void };

/** One finding: what and of which instance, what is wrong, since when, its monthly cost, and what can be done. */
export function DriftRow({ view, now, onAsk }: Props) {
  const { finding, instance, foundAt, monthlyCents, operation } = view;
  const { icon: Icon, noun } = aboutOf(finding);
  const name = nameOf(view);
  return (
    <div className={`grid gap-y-1.5 border-b border-line py-3 ${columns}`}>
      <div className="flex min-w-0 gap-2.5">
        <Icon size={16} strokeWidth={1.9} className="mt-0.5 shrink-0 text-ink-3" aria-hidden />
        <div className="min-w-0">
          <span className="block font-medium">{noun}</span>
          {name === instance.company ? null : (
            <span className="block font-mono text-sm text-ink-2">
              <Address>{name}</Address>
            </span>
          )}
          <Link
            href={`/instances/${instance.slug}?id=${instance.id}`}
            className="touch inline-flex items-center text-sm text-ink-2 underline max-md:-my-2.5 decoration-line-2 underline-offset-3 hover:text-ink"
          >
            {instance.company}
          </Link>
        </div>
      </div>
      <div className="min-w-0 text-ink-2 max-md:pl-6.5">
        <p className="wrap-anywhere">{sentenceFor(view, now)}</p>
        {operation?.state === "failed" && (
          <p className="mt-1 flex gap-1.5 text-sm text-bad-ink">
            <OctagonAlert size={15} strokeWidth={1.9} className="mt-0.5 shrink-0" aria-hidden />
            <span>
              {operation.userMessage ?? "The last attempt failed."}{" "}
              <Link href={operationPath(view, operation.id)} className="underline underline-offset-3">
                See the log
              </Link>
            </span>
          </p>
        )}
        <p className="mt-1 text-sm text-ink-3 tabular-nums lg:hidden">
          Found {age(foundAt, now)}
          {monthlyCents !== 0 && `, ${cost(monthlyCents)} a month`}
        </p>
      </div>
      <time
        dateTime={new Date(foundAt).toISOString()}
        title={exact(foundAt)}
        className="text-sm text-ink-2 tabular-nums max-lg:hidden"
      >
        {age(foundAt, now)}
      </time>
      <span className="text-right text-ink-2 tabular-nums max-lg:hidden">
        {monthlyCents === 0 ? "–" : cost(monthlyCents)}
      </span>
      <div className="flex flex-wrap items-start gap-2 max-md:pl-6.5 md:justify-end">
        <Actions view={view} label={`${inSentence(noun)} ${name}`} onAsk={onAsk} />
      </div>
    </div>
  );
}

/** A smaller droplet than our records say costs less than they count. */
const cost = (cents: number): string => (cents < 0 ? `−${money(-cents)}` : money(cents));

const operationPath = ({ instance }: DriftView, operationId: string) =>
  `/instances/${instance.slug}?id=${instance.id}&operation=${operationId}`;

function Actions({ view, label, onAsk }: { view: DriftView; label: string; onAsk: Props["onAsk"] }) {
  const connection = useConnection();
  const { operation, instance, actions, refusal } = view;
  if (operation !== null && operation.state !== "failed")
    return (
      <Link href={operationPath(view, operation.id)} className={buttonClass("bare")}>
        <RefreshCw size={15} strokeWidth={1.9} className="text-move-ink" aria-hidden />
        {actionWords[operation.action].underWay}
        <span className="sr-only"> {label}</span>
      </Link>
    );
  if (actions.length === 0)
    return (
      <Link href={`/instances/${instance.slug}?id=${instance.id}`} className={buttonClass("plain")}>
        View instance<span className="sr-only"> {instance.company}</span>
      </Link>
    );
  return actions.map((action) => (
    <Button
      key={action}
      look={actionWords[action].danger ? "danger-line" : "plain"}
      reason={connection.live ? refusal : offlineReason}
      onClick={() => onAsk(action)}
    >
      {actionWords[action].danger && <Trash2 size={15} strokeWidth={1.9} aria-hidden />}
      <span>
        {actionWords[action].verb}
        <span className="sr-only"> {label}</span>
      </span>
    </Button>
  ));
}
