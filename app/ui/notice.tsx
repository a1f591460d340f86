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

/** What a list says when there is nothing in it; `whole` when it is all that the page says. */
export function Empty({
  title,
  whole = false,
  children,
}: {
  title: string;
  whole?: boolean;
  children?: ReactNode;
}) {
  return (
    <div
      className={`flex flex-col gap-3 ${whole ? "min-h-[65dvh] items-center justify-center text-center" : "items-start py-16"}`}
    >
      <svg
        viewBox="0 0 300 68"
        className={`mb-3 text-line-2 ${whole ? "w-75" : "w-48"} max-w-full`}
        fill="none"
        stroke="currentColor"
        strokeWidth="2"
        aria-hidden
      >
        <path d="M14 34h30m12 0h24c20 0 10-26 32-26h32m12 0h32c22 0 12 26 32 26h24m12 0h30M80 34c20 0 10 26 32 26h32m12 0h32c22 0 12-26 32-26" />
        {[
          [8, 34],
          [50, 34],
          [150, 8],
          [150, 60],
          [250, 34],
          [292, 34],
        ].map(([x, y]) => (
          <circle key={`${x} ${y}`} cx={x} cy={y} r="6" />
        ))}
      </svg>
      <p className={whole ? "text-title font-semibold" : "text-lead font-medium"}>{title}</p>
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
