"use client";
import { DropdownMenu } from "radix-ui";
import { useRef } from "react";
import type { OpenMenuProps } from "./menu.tsx";

/** Replaces a menu's plain button once it has been pressed. */
export function OpenMenu({ label, className, children, items, width, align, byKeyboard }: OpenMenuProps) {
  const chosen = useRef<() => void>(undefined);
  const shouldFocusFirstItem = useRef(byKeyboard);
  return (
    <DropdownMenu.Root defaultOpen>
      <DropdownMenu.Trigger aria-label={label} className={className}>
        {children}
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          // Radix didn't see the key that first opened it, and would focus the menu instead.
          ref={(menu) => {
            if (!shouldFocusFirstItem.current || menu === null) return;
            shouldFocusFirstItem.current = false;
            menu.querySelector<HTMLElement>("[role=menuitem]")?.focus({ preventScroll: true });
          }}
          align={align ?? "center"}
          sideOffset={6}
          collisionPadding={8}
          // A dialog opened any earlier would keep focus from the button, and couldn't return it.
          onCloseAutoFocus={() => {
            const choose = chosen.current;
            chosen.current = undefined;
            choose?.();
          }}
          className={`z-50 rounded-[10px] bg-raised p-1.5 shadow-pop ${width}`}
        >
          {items.map((item) => {
            if (item === "separator")
              return <DropdownMenu.Separator key={item} className="my-1.5 h-px bg-line" />;
            const isPossible = item.reason == null;
            return (
              <DropdownMenu.Item
                key={item.label}
                aria-disabled={!isPossible || undefined}
                className="touch flex min-h-9 cursor-pointer flex-col justify-center rounded-[6px] px-2.5 py-1.5 text-sm outline-none data-highlighted:bg-hover aria-disabled:cursor-not-allowed aria-disabled:text-ink-3"
                onSelect={(event) => {
                  if (isPossible) chosen.current = item.onChoose;
                  else event.preventDefault();
                }}
              >
                {item.label}
                {!isPossible && <span className="text-ink-3">{item.reason}</span>}
              </DropdownMenu.Item>
            );
          })}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
