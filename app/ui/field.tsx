import { ChevronDown, CircleAlert } from "lucide-react";
import type { InputHTMLAttributes, ReactNode, SelectHTMLAttributes, TextareaHTMLAttributes } from "react";

const box = (bad: boolean, mono = false) =>
  `touch w-full rounded-[6px] border bg-raised pl-3 text-ink max-md:text-[16px] ${bad ? "border-bad-ink" : "border-field"} ${mono ? "font-mono" : ""}`;

type Frame = {
  id: string;
  label: string;
  hideLabel?: boolean;
  error?: string | undefined;
  hint?: ReactNode;
  /** One click that puts it right. */
  repair?: { label: string; onRepair: () => void } | undefined;
};

function Framed({ id, label, hideLabel, error, hint, repair, children }: Frame & { children: ReactNode }) {
  return (
    <div className="min-w-0">
      <label htmlFor={id} className={hideLabel ? "sr-only" : "mb-1.5 block text-sm font-medium"}>
        {label}
      </label>
      {children}
      {error !== undefined ? (
        <p id={`${id}-note`} className="mt-1.5 flex gap-1.5 text-sm text-bad-ink">
          <CircleAlert size={15} strokeWidth={1.9} className="mt-0.5 shrink-0" aria-hidden />
          <span>
            {error}{" "}
            {repair !== undefined && (
              <button
                type="button"
                className="touch font-medium underline underline-offset-2"
                onClick={repair.onRepair}
              >
                {repair.label}
              </button>
            )}
          </span>
        </p>
      ) : (
        hint !== undefined && (
          <div id={`${id}-note`} className="mt-1.5 text-sm text-ink-3">
            {hint}
          </div>
        )
      )}
    </div>
  );
}

const described = (id: string, error: string | undefined, hint: ReactNode) => ({
  id,
  "aria-invalid": error !== undefined || undefined,
  "aria-describedby": error !== undefined || hint !== undefined ? `${id}-note` : undefined,
});

export function TextField(props: Frame & { mono?: boolean } & InputHTMLAttributes<HTMLInputElement>) {
  const { id, label, hideLabel, error, hint, repair, mono, ...rest } = props;
  return (
    <Framed {...{ id, label, error, hint, repair }} hideLabel={hideLabel ?? false}>
      <input
        {...rest}
        {...described(id, error, hint)}
        className={`h-9 pr-3 ${box(error !== undefined, mono)}`}
      />
    </Framed>
  );
}

export function SelectField(props: Frame & SelectHTMLAttributes<HTMLSelectElement>) {
  const { id, label, hideLabel, error, hint, repair, children, ...rest } = props;
  return (
    <Framed {...{ id, label, error, hint, repair }} hideLabel={hideLabel ?? false}>
      <div className="relative">
        <select
          {...rest}
          {...described(id, error, hint)}
          className={`h-9 appearance-none truncate pr-9 ${box(error !== undefined)}`}
        >
          {children}
        </select>
        <ChevronDown
          size={15}
          strokeWidth={1.9}
          className="pointer-events-none absolute top-1/2 right-3 -translate-y-1/2 text-ink-3"
          aria-hidden
        />
      </div>
    </Framed>
  );
}

export function AreaField(props: Frame & { masked?: boolean } & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const { id, label, hideLabel, error, hint, repair, masked, ...rest } = props;
  return (
    <Framed {...{ id, label, error, hint, repair }} hideLabel={hideLabel ?? false}>
      <textarea
        {...rest}
        {...described(id, error, hint)}
        className={`field-sizing-content max-h-60 min-h-9 resize-y py-2 pr-3 leading-5 ${box(error !== undefined, true)}`}
        style={masked ? ({ WebkitTextSecurity: "disc" } as React.CSSProperties) : undefined}
      />
    </Framed>
  );
}
