import type { ButtonHTMLAttributes, ReactNode } from "react";
import { useId } from "react";
import { Tooltip } from "./tooltip.tsx";

const looks = {
  primary: "bg-ink text-on-ink border-transparent",
  plain: "bg-raised text-ink border-line-2 hover:bg-hover",
  "danger-line": "bg-raised text-bad-ink border-bad-ink/50 hover:bg-bad-tint",
  danger: "bg-bad text-on-bad border-transparent",
  bare: "bg-transparent text-ink-2 border-transparent hover:bg-hover",
};

type Props = ButtonHTMLAttributes<HTMLButtonElement> & {
  look?: keyof typeof looks;
  large?: boolean;
  /** While its command is on the way: keeps its width and says so. */
  sending?: boolean;
  /** What it says then. */
  sendingWord?: string;
  /** Why it cannot be pressed now. It stays focusable, so that the reason can be read. */
  reason?: string | null | undefined;
  children: ReactNode;
};

export const buttonClass = (look: keyof typeof looks, large = false) =>
  `touch inline-flex items-center justify-center gap-2 whitespace-nowrap rounded-[6px] border px-3 font-medium transition-colors duration-120 aria-disabled:cursor-not-allowed aria-disabled:opacity-55 ${large ? "h-10 px-4" : "h-8"} text-sm ${looks[look]}`;

export function Button({
  look = "plain",
  large,
  sending = false,
  sendingWord = "Sending",
  reason,
  children,
  onClick,
  ...rest
}: Props) {
  const reasonId = useId();
  const blocked = sending || (reason !== undefined && reason !== null);
  const button = (
    <button
      type="button"
      {...rest}
      className={buttonClass(look, large)}
      aria-disabled={blocked || undefined}
      aria-describedby={reason == null ? rest["aria-describedby"] : reasonId}
      onClick={(event) => {
        if (blocked) event.preventDefault();
        else onClick?.(event);
      }}
    >
      <span className="grid">
        <span
          className={`col-start-1 row-start-1 inline-flex items-center justify-center gap-2 ${sending ? "invisible" : ""}`}
        >
          {children}
        </span>
        {sending && <span className="col-start-1 row-start-1 text-center">{sendingWord}</span>}
      </span>
    </button>
  );
  // Always the same elements around it: it would lose the focus whenever a reason comes or goes.
  return (
    <>
      <Tooltip text={reason ?? undefined}>{button}</Tooltip>
      {reason != null && (
        <span id={reasonId} className="sr-only">
          {reason}
        </span>
      )}
    </>
  );
}
