/** Whether a key belongs to the field that has the focus, and not to the page. */
export const isTyping = ({ target }: KeyboardEvent): boolean =>
  target instanceof HTMLElement && target.matches("input:not([type=checkbox]), textarea, select");
