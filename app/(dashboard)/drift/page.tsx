"use client";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useStartedOperation } from "#app/(dashboard)/_instances/useStartedOperation.ts";
import { age, exact, money, useNow } from "#app/time.ts";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Confirm } from "#app/ui/confirm.tsx";
import { Empty, Notice, Skeleton } from "#app/ui/notice.tsx";
import { Page } from "#app/ui/pageFrame.tsx";
import type { DriftAction, DriftCheckView, DriftView } from "#server/api/views.ts";
import { columns, DriftRow } from "./driftRow.tsx";
import { useDrift } from "./useDrift.ts";
import { aboutOf, actionWords, consequence, groups, inSentence, nameOf } from "./words.tsx";

type Asked = { view: DriftView; action: DriftAction };

/** Where DigitalOcean and our records differ, what that costs, and how to put it right. */
export default function DriftPage() {
  const query = useDrift();
  const now = useNow(5000);
  const [asked, setAsked] = useState<Asked>();
  const { check, findings = [] } = query.data ?? {};
  return (
    <Page title="Drift" lead={check !== undefined && <Lead {...{ check, findings, now }} />}>
      {query.isPending && <Skeleton />}
      {query.isError && (
        <div className="mt-6 flex items-center gap-4">
          <Notice tone="bad" alert>
            {sentenceOf(query.error)}
          </Notice>
          <Button onClick={() => void query.refetch()}>Try again</Button>
        </div>
      )}
      {check?.failure != null && (
        <div className="mt-6">
          <Notice tone="warn">
            <strong className="font-semibold">The last check failed {age(check.failure.at, now)}.</strong>{" "}
            {check.failure.userMessage}
          </Notice>
        </div>
      )}
      {check !== undefined && findings.length === 0 && <Nothing check={check} now={now} />}
      {findings.length > 0 && (
        <div aria-hidden className={`mt-6 hidden text-sm text-ink-2 lg:grid ${columns}`}>
          <span>Resource</span>
          <span>Difference</span>
          <span>Found</span>
          <span className="text-right">A month</span>
        </div>
      )}
      {groups.map(({ key, title, lead }) => {
        const rows = findings.filter(({ finding }) => aboutOf(finding).group === key);
        if (rows.length === 0) return null;
        return (
          <section key={key} aria-label={title} className="mt-7">
            <h2 className="flex flex-wrap items-baseline gap-x-2 border-b border-line pb-2 text-sm font-semibold">
              {title} <span className="font-normal text-ink-3 tabular-nums">{rows.length}</span>
              <span className="font-normal text-ink-3 max-md:basis-full">{lead}</span>
            </h2>
            <ul>
              {rows.map((view) => (
                <li key={view.key}>
                  <DriftRow view={view} now={now} onAsk={(action) => setAsked({ view, action })} />
                </li>
              ))}
            </ul>
          </section>
        );
      })}
      {asked !== undefined && <Ask {...asked} onClose={() => setAsked(undefined)} />}
    </Page>
  );
}

/** What it adds up to, and how old the news is. */
function Lead({ check, findings, now }: { check: DriftCheckView; findings: DriftView[]; now: number }) {
  const costly = findings.filter(({ finding, monthlyCents }) => {
    return aboutOf(finding).group === "orphaned" && monthlyCents > 0;
  });
  const sum = costly.reduce((total, { monthlyCents }) => total + monthlyCents, 0);
  const count = findings.length === 1 ? "1 difference" : `${findings.length} differences`;
  return (
    <>
      {findings.length > 0 && (
        <>
          <strong className="font-semibold text-ink">{count}</strong> between DigitalOcean and our records.{" "}
        </>
      )}
      {costly.length > 0 && (
        <span className="text-warn-ink">
          {costly.length === 1 ? "1 orphan costs" : `${costly.length} orphans cost`} {money(sum)} a month.{" "}
        </span>
      )}
      {findings.length > 0 && <Checked check={check} now={now} />}
    </>
  );
}

function Checked({ check, now }: { check: DriftCheckView; now: number }) {
  if (check.checkedAt === null) return "Not checked yet.";
  return (
    <time dateTime={new Date(check.checkedAt).toISOString()} title={exact(check.checkedAt)}>
      Checked {age(check.checkedAt, now)}.
    </time>
  );
}

function Nothing({ check, now }: { check: DriftCheckView; now: number }) {
  const title =
    check.checkedAt === null
      ? "Not checked yet."
      : check.failure === null
        ? "DigitalOcean matches our records."
        : "The last complete check found no differences.";
  return (
    <Empty title={title}>
      <p className="text-ink-2">
        {check.checkedAt === null ? (
          "The first check starts within two minutes."
        ) : (
          <Checked check={check} now={now} />
        )}
      </p>
      <p className="max-w-prose text-ink-2">
        Every two minutes, we compare the droplets, snapshots, DNS records and SSH key in your account with
        our records. Resources the Spawner didn’t create are left alone.
      </p>
    </Empty>
  );
}

function Ask({ view, action, onClose }: Asked & { onClose: () => void }) {
  const trpc = useTRPC();
  const begun = useStartedOperation(view.instance, onClose);
  const resolve = useMutation(trpc.drift.resolve.mutationOptions({ onSuccess: begun }));
  const { verb, danger } = actionWords[action];
  return (
    <Confirm
      title={`${verb} the ${inSentence(aboutOf(view.finding).noun)} ${nameOf(view)}?`}
      description={consequence(view, action)}
      confirm={verb}
      danger={danger}
      sending={resolve.isPending}
      error={resolve.error}
      onConfirm={() => resolve.mutate({ key: view.key, action })}
      onClose={onClose}
    />
  );
}
