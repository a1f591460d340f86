import { flushSync } from "react-dom";

/** Of the button that adds a variable. */
export const addVariableId = "add-variable";

/**
 * Adds or removes a variable, then focuses the name in this row, or without rows the button that adds one: what had the
 * focus may be gone, and the keyboard would start at the top of the page.
 */
export function focusVariableAfter(change: () => void, index: number): void {
  flushSync(change);
  document.getElementById(index < 0 ? addVariableId : `variables.${index}.name`)?.focus();
}
