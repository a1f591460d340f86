"use client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { fieldErrors, sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Confirm } from "#app/ui/confirm.tsx";
import { TextField } from "#app/ui/field.tsx";
import { Notice, Skeleton } from "#app/ui/notice.tsx";

/** Who may sign in. */
export function People() {
  const trpc = useTRPC();
  const me = useQuery(trpc.session.me.queryOptions());
  const query = useQuery(trpc.settings.people.queryOptions(undefined, { staleTime: 0 }));
  const again = { onSettled: () => void query.refetch() };
  const [removing, setRemoving] = useState<{ id: string; name: string; email: string }>();
  const remove = useMutation(
    trpc.settings.removePerson.mutationOptions({
      // Refetch before closing: the button that had the focus is gone by then, so the dialog moves it to the page.
      onSuccess: async () => {
        await query.refetch();
        setRemoving(undefined);
      },
    }),
  );
  const endSessions = useMutation(trpc.settings.endSessions.mutationOptions(again));
  const problem = endSessions.error;
  return (
    <section aria-labelledby="people">
      <h2 id="people" className="border-b border-line pb-2 text-lead font-semibold">
        People
      </h2>
      {query.isPending && <Skeleton rows={1} />}
      {problem !== null && (
        <Notice tone="bad" alert>
          {sentenceOf(problem)}
        </Notice>
      )}
      <ul>
        {query.data?.people.map((person) => (
          <li
            key={person.id}
            className="flex flex-wrap items-center justify-between gap-3 border-b border-line py-3"
          >
            <span>
              <span className="block font-medium">{person.name}</span>
              <span className="text-sm text-ink-3">
                {person.email}, {person.sessions === 1 ? "1 session" : `${person.sessions} sessions`}
              </span>
            </span>
            <span className="flex gap-2">
              <Button
                onClick={() => endSessions.mutate({ id: person.id })}
                aria-label={`End sessions of ${person.name}`}
              >
                End sessions
              </Button>
              <Button
                look="danger-line"
                aria-label={`Remove ${person.name}`}
                reason={person.id === me.data?.id ? "You can't remove yourself." : null}
                onClick={() => {
                  remove.reset();
                  setRemoving(person);
                }}
              >
                Remove
              </Button>
            </span>
          </li>
        ))}
      </ul>
      {removing !== undefined && (
        <Confirm
          title={`Remove ${removing.name}?`}
          description={`${removing.email} will be signed out everywhere and can't sign in again. Their past activity is kept.`}
          confirm="Remove"
          danger
          sending={remove.isPending}
          error={remove.error}
          onConfirm={() => remove.mutate({ id: removing.id })}
          onClose={() => setRemoving(undefined)}
        />
      )}
      <AddPerson onAdded={() => void query.refetch()} />
      <ChangePassword />
    </section>
  );
}

function AddPerson({ onAdded }: { onAdded: () => void }) {
  const trpc = useTRPC();
  const [person, setPerson] = useState({ name: "", email: "", password: "" });
  const add = useMutation(
    trpc.settings.addPerson.mutationOptions({
      onSuccess: () => {
        setPerson({ name: "", email: "", password: "" });
        onAdded();
      },
    }),
  );
  const errors = fieldErrors(add.error);
  const field = (name: keyof typeof person) => ({
    value: person[name],
    error: errors[name],
    onChange: (event: { target: { value: string } }) => setPerson({ ...person, [name]: event.target.value }),
  });
  return (
    <form
      className="mt-6 grid items-start gap-4 sm:grid-cols-3"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        add.mutate(person);
      }}
    >
      <TextField id="person-name" label="Name" {...field("name")} />
      <TextField id="person-email" label="Email" type="email" {...field("email")} />
      <TextField
        id="person-password"
        label="Initial password"
        type="password"
        autoComplete="new-password"
        {...field("password")}
      />
      <div>
        <Button type="submit" sending={add.isPending}>
          Add person
        </Button>
      </div>
    </form>
  );
}

function ChangePassword() {
  const trpc = useTRPC();
  const [words, setWords] = useState({ current: "", next: "" });
  const change = useMutation(
    trpc.settings.changePassword.mutationOptions({ onSuccess: () => location.assign("/login") }),
  );
  const errors = fieldErrors(change.error);
  return (
    <details className="mt-8">
      <summary className="text-sm font-medium">Change your password</summary>
      <form
        className="mt-4 grid items-start gap-4 sm:grid-cols-2"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          change.mutate(words);
        }}
      >
        <TextField
          id="current"
          label="Current password"
          type="password"
          autoComplete="current-password"
          value={words.current}
          error={errors.current}
          onChange={(event) => setWords({ ...words, current: event.target.value })}
        />
        <TextField
          id="next"
          label="New password"
          type="password"
          autoComplete="new-password"
          value={words.next}
          error={errors.next}
          hint="This signs you out everywhere."
          onChange={(event) => setWords({ ...words, next: event.target.value })}
        />
        <div>
          <Button type="submit" sending={change.isPending}>
            Change password
          </Button>
        </div>
      </form>
    </details>
  );
}
