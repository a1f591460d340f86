"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { type FormEvent, useState } from "react";
import { fieldErrors, sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { TextField } from "#app/ui/field.tsx";
import { Notice, Skeleton } from "#app/ui/notice.tsx";
import { Page } from "#app/ui/pageFrame.tsx";
import { spawnInput } from "#server/instances/inputs.ts";
import { suggestSlug } from "#server/instances/rules.ts";
import { AddressFields } from "./addressFields.tsx";
import { type Draft, forgetDraft, useDraft } from "./draft.ts";
import { ErrorSummary } from "./errorSummary.tsx";
import { MachineFields } from "./machineFields.tsx";
import { Preview } from "./preview.tsx";
import { VariableRows } from "./variableRows.tsx";

/** What the rules say of the draft, by field; the same rules as on the server. */
function problemsOf(draft: Draft): Record<string, string> {
  const parsed = spawnInput.safeParse(draft);
  if (parsed.success) return {};
  const problems: Record<string, string> = {};
  for (const issue of parsed.error.issues) problems[issue.path.join(".")] ??= issue.message;
  return problems;
}

export default function NewInstancePage() {
  const trpc = useTRPC();
  const router = useRouter();
  const queryClient = useQueryClient();
  const options = useQuery(trpc.instances.options.queryOptions());
  const { draft, change } = useDraft(options.data);
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [submitted, setSubmitted] = useState(false);
  const spawn = useMutation(
    trpc.instances.spawn.mutationOptions({
      onSuccess: ({ slug, operationId }) => {
        forgetDraft();
        router.push(`/instances/${slug}?operation=${operationId}`);
      },
      // The slug may have been taken meanwhile: what was asked before does not hold any more.
      onError: () => queryClient.invalidateQueries({ queryKey: trpc.instances.checkSlug.queryKey() }),
    }),
  );
  const problems = { ...fieldErrors(spawn.error), ...problemsOf(draft) };
  const shown = Object.fromEntries(Object.entries(problems).filter(([name]) => submitted || left.has(name)));
  const leave = (name: string) => () => setLeft((names) => new Set(names).add(name));

  function submit(event: FormEvent) {
    event.preventDefault();
    setSubmitted(true);
    if (spawn.isPending) return;
    if (Object.keys(problemsOf(draft)).length > 0) {
      // After the errors are drawn, the first field that has one takes the focus.
      requestAnimationFrame(() => document.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
      return;
    }
    spawn.mutate(draft);
  }
  const edit = (part: Partial<Draft>) => {
    if (spawn.isError) spawn.reset();
    change(part);
  };
  const text = (name: "company" | "contactName" | "contactEmail") => ({
    id: name,
    value: draft[name],
    error: shown[name],
    onBlur: leave(name),
  });
  const size = options.data?.sizes.find((one) => one.slug === draft.size);

  return (
    <form onSubmit={submit} noValidate className="lg:flex lg:min-h-dvh">
      <div className="min-w-0 grow">
        <Page title="New instance" back={{ href: "/", label: "Instances" }}>
          {submitted && <ErrorSummary problems={shown} />}
          {spawn.isError && Object.keys(fieldErrors(spawn.error)).length === 0 && (
            <div className="mt-4">
              <Notice tone="bad" alert>
                {sentenceOf(spawn.error)} Nothing was purchased.
              </Notice>
            </div>
          )}
          {options.isError && (
            <div className="mt-4 flex flex-wrap items-center gap-4">
              <Notice tone="bad" alert>
                {sentenceOf(options.error)}
              </Notice>
              <Button onClick={() => void options.refetch()}>Try again</Button>
            </div>
          )}
          <Section title="Customer">
            <div className="grid gap-5 sm:grid-cols-3">
              <TextField
                label="Company"
                {...text("company")}
                autoComplete="off"
                onChange={(event) => {
                  const company = event.target.value;
                  edit({ company, ...(draft.slugEdited ? {} : { slug: suggestSlug(company) }) });
                }}
              />
              <TextField
                label="Contact name"
                {...text("contactName")}
                onChange={(event) => edit({ contactName: event.target.value })}
              />
              <TextField
                label="Contact email"
                type="email"
                {...text("contactEmail")}
                onChange={(event) => edit({ contactEmail: event.target.value })}
              />
            </div>
          </Section>
          {options.isPending ? (
            <Skeleton rows={2} />
          ) : (
            <>
              <Section title="Address">
                <AddressFields {...{ draft, errors: shown, edit, leave }} options={options.data} />
              </Section>
              <Section title="Machine">
                <MachineFields {...{ draft, errors: shown, edit }} options={options.data} />
              </Section>
            </>
          )}
          <Section title="Variables" note="Optional">
            <VariableRows
              {...{ variables: draft.variables, errors: shown, leave }}
              onChange={(variables) => edit({ variables })}
            />
          </Section>
        </Page>
      </div>
      <Preview
        monthlyCents={size?.priceMonthlyCents}
        button={
          <Button type="submit" look="primary" large sending={spawn.isPending}>
            Spawn instance
          </Button>
        }
        note={
          Object.keys(shown).length === 0
            ? ""
            : `${Object.keys(shown).length} ${Object.keys(shown).length === 1 ? "thing" : "things"} to fix first`
        }
      />
    </form>
  );
}

function Section({ title, note, children }: { title: string; note?: string; children: React.ReactNode }) {
  return (
    <section className="mt-6 border-t border-line pt-4">
      <div className="mb-3 flex items-baseline justify-between">
        <h2 className="text-lead font-semibold">{title}</h2>
        {note !== undefined && <span className="text-sm text-ink-3">{note}</span>}
      </div>
      {children}
    </section>
  );
}
