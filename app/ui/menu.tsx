"use client";
import { type ComponentType, type ReactNode, useState } from "react";
import { NotLoaded } from "./notLoaded.tsx";

type MenuItem = {
  label: string;
  /** Why it can't be chosen now. The item stays focusable, so that the reason can be read. */
  reason?: string | null | undefined;
  /** Called after the menu closes, just before focus returns to its button, so that a dialog can return it there too. */
  onChoose: () => void;
};

export type MenuProps = {
  /** The button's accessible name; `children` are what it shows. */
  label: string;
  className: string;
  children: ReactNode;
  items: readonly (MenuItem | "separator")[];
  /** A Tailwind class for the menu's width. */
  width: string;
  align?: "center" | "end";
};

export type OpenMenuProps = MenuProps & {
  /** Opened with the keyboard: focus its first item. */
  byKeyboard: boolean;
};

/** Loads the code of an open menu. */
export const loadOpenMenu = () => import("./openMenu.tsx");

/** A menu button. It's a plain button until the first press, because most visits never open a menu. */
export function Menu(props: MenuProps) {
  const [opened, setOpened] = useState<{ OpenMenu: ComponentType<OpenMenuProps>; byKeyboard: boolean }>();
  const [hasFailed, setHasFailed] = useState(false);
  async function open(byKeyboard: boolean) {
    setHasFailed(false);
    try {
      const { OpenMenu } = await loadOpenMenu();
      setOpened({ OpenMenu, byKeyboard });
    } catch {
      setHasFailed(true);
    }
  }
  if (opened !== undefined) return <opened.OpenMenu {...props} byKeyboard={opened.byKeyboard} />;
  const button = (
    <button
      type="button"
      aria-label={props.label}
      aria-haspopup="menu"
      aria-expanded={false}
      className={props.className}
      // Enter and Space also fire a click, with a count of 0.
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
  return (
    <>
      {button}
      {hasFailed && <NotLoaded isOverlay />}
    </>
  );
}
