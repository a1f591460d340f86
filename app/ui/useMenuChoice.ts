"use client";
import { useRef } from "react";

/**
 * For a menu whose choices open a dialog: passes the choice on once the menu has closed, just before its button has the
 * focus again. A dialog that opened earlier would keep the button from getting it, and could not give it back.
 */
export function useMenuChoice<Choice>(onChoose: (choice: Choice) => void) {
  const chosen = useRef<Choice>(undefined);
  return {
    choose: (choice: Choice) => {
      chosen.current = choice;
    },
    onCloseAutoFocus: () => {
      const choice = chosen.current;
      chosen.current = undefined;
      if (choice !== undefined) onChoose(choice);
    },
  };
}
