import type { ReactNode } from "react";

const tints = {
  bad: "bg-bad-tint text-bad-ink",
  warn: "bg-warn-tint text-warn-ink",
  ok: "bg-ok-tint text-ok-ink",
};

export function Notice({
  tone,
  children,
  alert,
}: {
  tone: keyof typeof tints;
  children: ReactNode;
  alert?: boolean;
}) {
  return (
    <div role={alert ? "alert" : undefined} className={`rounded-[6px] px-4 py-3 text-sm ${tints[tone]}`}>
      {children}
    </div>
  );
}

/** What a list says when there is nothing in it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-start gap-3 py-16">
      <svg
        viewBox="0 0 240 24"
        className="w-60 text-line-2"
        fill="none"
        stroke="currentColor"
        strokeWidth="2"
        aria-hidden
      >
        <path d="M2 12h70c12 0 8-9 20-9h56c12 0 8 9 20 9h70M72 12c12 0 8 9 20 9h56c12 0 8-9 20-9" />
      </svg>
      <p className="text-lead font-medium">{title}</p>
      {children}
    </div>
  );
}

/** The shape of what comes; it appears only when that takes longer than a moment. */
export function Skeleton({ rows = 4 }: { rows?: number }) {
  return (
    <div className="animate-[appear_0s_200ms_both]" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: nothing but shape
        <div key={index} className="flex flex-col gap-2 border-b border-line py-4">
          <div className="h-3 w-48 rounded-full bg-hover" />
          <div className="h-3 w-32 rounded-full bg-hover" />
        </div>
      ))}
    </div>
  );
}
