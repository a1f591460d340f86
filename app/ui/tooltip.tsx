"use client";
import { Tooltip as Radix } from "radix-ui";
import type { ReactNode } from "react";

export function Tooltip({
  text,
  side = "top",
  children,
}: {
  text: string;
  side?: "top" | "right";
  children: ReactNode;
}) {
  return (
    <Radix.Provider delayDuration={200}>
      <Radix.Root>
        <Radix.Trigger asChild>{children}</Radix.Trigger>
        <Radix.Portal>
          <Radix.Content
            side={side}
            sideOffset={6}
            className="z-50 max-w-72 rounded-[6px] bg-ink px-2.5 py-1.5 text-sm text-on-ink"
            aria-hidden
          >
            {text}
          </Radix.Content>
        </Radix.Portal>
      </Radix.Root>
    </Radix.Provider>
  );
}
