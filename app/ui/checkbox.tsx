import { Check, Minus } from "lucide-react";
import type { InputHTMLAttributes } from "react";

type Props = Omit<InputHTMLAttributes<HTMLInputElement>, "type" | "className"> & {
  "aria-label": string;
  /** Some of what it stands for is chosen, not all. */
  mixed?: boolean;
};

/** A checkbox with a target larger than it looks. */
export function Checkbox({ mixed = false, ...rest }: Props) {
  const icon = {
    size: 12,
    strokeWidth: 3,
    "aria-hidden": true,
    className: "pointer-events-none absolute text-on-ink",
  } as const;
  return (
    <label className="relative -m-3.5 inline-grid cursor-pointer place-items-center p-3.5">
      <input
        {...rest}
        ref={(box) => {
          if (box !== null) box.indeterminate = mixed;
        }}
        type="checkbox"
        className="size-4 cursor-pointer appearance-none rounded-[4px] border border-field bg-raised checked:border-ink checked:bg-ink indeterminate:border-ink indeterminate:bg-ink forced-colors:appearance-auto"
      />
      {mixed ? <Minus {...icon} /> : rest.checked === true && <Check {...icon} />}
    </label>
  );
}
