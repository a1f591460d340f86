"use client";
import { signIn } from "next-auth/react";
import { type FormEvent, useState } from "react";
import { Mark } from "#app/mark.tsx";
import { Button } from "#app/ui/button.tsx";
import { TextField } from "#app/ui/field.tsx";
import { Notice } from "#app/ui/notice.tsx";
import { wayBack } from "./wayBack.ts";

export default function SignInPage() {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState<string>();

  async function submit(event: FormEvent) {
    event.preventDefault();
    setSending(true);
    setProblem(undefined);
    try {
      const result = await signIn("credentials", { email, password, redirect: false });
      if (result?.ok === true)
        return location.assign(wayBack(new URLSearchParams(location.search).get("from"), location.origin));
      const known = result?.error;
      setProblem(known == null || known === "CredentialsSignin" ? "Wrong email or password." : known);
    } catch {
      setProblem("Can't reach the Spawner. Try again in a moment.");
    }
    setSending(false);
  }

  return (
    <main className="relative mx-auto flex min-h-dvh w-full max-w-87 flex-col justify-center gap-6 px-4">
      <div className="fixed top-6 left-4 md:top-9 md:left-10">
        <Mark />
      </div>
      <ForkAround />
      <h1 className="text-page font-semibold tracking-[-0.02em]">Sign in</h1>
      {problem !== undefined && (
        <Notice tone="bad" alert>
          {problem}
        </Notice>
      )}
      <form className="flex flex-col gap-5" onSubmit={submit}>
        <TextField
          id="email"
          label="Email"
          type="email"
          autoComplete="username"
          required
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <TextField
          id="password"
          label="Password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Button type="submit" look="primary" large sending={sending}>
          Sign in
        </Button>
      </form>
      <p className="-mt-1 text-sm text-ink-3">
        First time here? The Spawner printed your password when it first started, unless it was set in
        ADMIN_PASSWORD.
      </p>
    </main>
  );
}

/** The line that splits and comes together, around the form; a phone has no room for it. */
function ForkAround() {
  return (
    <svg
      viewBox="0 0 1440 900"
      preserveAspectRatio="xMidYMid slice"
      className="fixed inset-0 -z-10 h-dvh w-screen text-line max-md:hidden"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      aria-hidden
    >
      <path d="M-960 450h1240c130 0 120-216 260-216h360c140 0 130 216 260 216h1240M280 450c130 0 120 216 260 216h360c140 0 130-216 260-216" />
      {[
        [96, 450],
        [232, 450],
        [640, 234],
        [860, 234],
        [720, 666],
        [1208, 450],
        [1344, 450],
      ].map(([x, y]) => (
        <circle key={x} cx={x} cy={y} r="9" className="fill-paper" />
      ))}
    </svg>
  );
}
