import Link from "next/link";

export default function NotFound() {
  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col justify-center gap-4 px-4">
      <h1 className="text-page font-semibold">Page not found</h1>
      <p className="text-ink-2">
        <Link href="/" className="underline underline-offset-4">
          All instances
        </Link>
      </p>
    </main>
  );
}
