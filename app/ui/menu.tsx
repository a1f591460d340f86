"use client";
import { type ComponentType, type ReactNode, useState } from "react";

type MenuItem = {
  label: string;
  /** Why it cannot be chosen now. It stays focusable, so that the reason can be read. */
  reason?: string | null | undefined;
  /** Called once the menu has closed, just before its button has the focus again: a dialog gives it back there. */
  onChoose: () => void;
};

export type MenuProps = {
  /** What the button is called; its `children` are what is seen of it. */
  label: string;
  className: string;
  children: ReactNode;
  items: readonly (MenuItem | "separator")[];
  /** Of the menu, as a class. */
  width: string;
  align?: "center" | "end";
};

export type OpenMenuProps = MenuProps & {
  /** Opened with the keyboard, so its first item gets the focus. */
  byKeyboard: boolean;
};

/** What a menu needs once it is open. */
export const loadOpenMenu = () => import("./openMenu.tsx");

/** A button with a menu. Until it's pressed it is only a button: most pages are left without opening one. */
export function Menu(props: MenuProps) {
  const [opened, setOpened] = useState<{ OpenMenu: ComponentType<OpenMenuProps>; byKeyboard: boolean }>();
  async function open(byKeyboard: boolean) {
    const { OpenMenu } = await loadOpenMenu();
    setOpened({ OpenMenu, byKeyboard });
  }
  if (opened !== undefined) return <opened.OpenMenu {...props} byKeyboard={opened.byKeyboard} />;
  return (
    <button
      type="button"
      aria-label={props.label}
      aria-haspopup="menu"
      aria-expanded={false}
      className={props.className}
      // Enter and Space click too, with no clicks to count.
      onClick={(event) => void open(event.detail === 0)}
      onKeyDown={(event) => {
        if (event.key !== "ArrowDown") return;
        event.preventDefault();
        void open(true);
      }}
    >
      {props.children}
    </button>
  );
}
