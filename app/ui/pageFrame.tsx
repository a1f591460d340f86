import { ChevronLeft } from "lucide-react";
import Link from "next/link";
import type { ReactNode } from "react";

/** Where a page that lies deeper hangs. */
export function BackLink({ href, label }: { href: string; label: string }) {
  return (
    <Link href={href} className="touch inline-flex items-center text-sm text-ink-2 hover:text-ink">
      <ChevronLeft size={16} strokeWidth={1.9} className="mr-1 -ml-1 md:hidden" aria-hidden />
      {label}
      <span aria-hidden className="ml-1 max-md:hidden">
        ›
      </span>
    </Link>
  );
}

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
      {back !== undefined && <BackLink {...back} />}
      <h1 className="text-page font-semibold tracking-[-0.02em]">{title}</h1>
      {lead !== undefined && <p className="mt-1 text-ink-2">{lead}</p>}
      {children}
    </div>
  );
}
