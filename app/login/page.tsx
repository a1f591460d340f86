"use client";
import { signIn } from "next-auth/react";
import { type FormEvent, useState } from "react";
import { Mark } from "../mark.tsx";
import { Button } from "../ui/button.tsx";
import { TextField } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";

/** Only an address of this site: a link must not lead somebody who signs in elsewhere. */
function wayBack(): string {
  const from = new URLSearchParams(location.search).get("from") ?? "/";
  return /^\/(?![/\\])/.test(from) ? from : "/";
}

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
      if (result?.ok === true) return location.assign(wayBack());
      const known = result?.error;
      setProblem(known == null || known === "CredentialsSignin" ? "Email or password is not right." : known);
    } catch {
      setProblem("The Spawner does not answer. Try again in a moment.");
    }
    setSending(false);
  }

  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-80 flex-col justify-center gap-6 px-4">
      <Mark />
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
    </main>
  );
}
