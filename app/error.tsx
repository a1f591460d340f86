"use client";
import { Button } from "./ui/button.tsx";

export default function ErrorPage() {
  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col items-start justify-center gap-4 px-4">
      <h1 className="text-page font-semibold">Something went wrong on this page</h1>
      <p className="text-ink-2">Operations in progress continue without it.</p>
      <Button onClick={() => location.reload()}>Reload</Button>
    </main>
  );
}
