import Link from "next/link";
import type { ReactNode } from "react";

/** A page with one heading, and a way back where it lies deeper. */
export function Page({
  title,
  lead,
  back,
  children,
}: {
  title: string;
  lead?: ReactNode;
  back?: { href: string; label: string };
  children: ReactNode;
}) {
  return (
    <div className="px-4 py-6 md:px-10 md:py-8">
      {back !== undefined && (
        <Link href={back.href} className="touch inline-flex items-center text-sm text-ink-2 hover:text-ink">
          {back.label} ›
        </Link>
      )}
      <h1 className="text-page font-semibold tracking-[-0.02em]">{title}</h1>
      {lead !== undefined && <p className="mt-1 text-ink-2">{lead}</p>}
      {children}
    </div>
  );
}
