import { Fragment } from "react";

/** An address. Where it doesn't fit, it breaks before a dot or after a hyphen rather than inside a word. */
export function Address({ children }: { children: string }) {
  return (
    <span className="wrap-anywhere">
      {children.split(/(?=\.|:\d)/).map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text, which only has an order
        <Fragment key={index}>
          {index > 0 && <wbr />}
          {part}
        </Fragment>
      ))}
    </span>
  );
}
