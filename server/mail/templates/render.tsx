import { render } from "@react-email/render";
import type { ReactElement } from "react";
import type { Rendered, Templates } from "#server/mail/sender.ts";
import { Failed } from "./failed.tsx";
import { Orphan } from "./orphan.tsx";
import { Ready } from "./ready.tsx";
import { Stale } from "./stale.tsx";

async function letter(subject: string, element: ReactElement): Promise<Rendered> {
  const text = await render(element, {
    plainText: true,
    // A company's name stays as its people write it.
    htmlToTextOptions: { selectors: [{ selector: "h1", options: { uppercase: false } }] },
  });
  return { subject, html: await render(element), text };
}

/** The mails as people get them. */
export const templates: Templates = {
  ready: (mail) => letter(`Your intranet is ready: ${mail.company}`, <Ready {...mail} />),
  failed: (mail) => letter(`${mail.company}: ${mail.operation} failed`, <Failed {...mail} />),
  orphan: (mail) =>
    letter(`${mail.what} costs ${mail.monthly} a month and isn't used by any instance`, <Orphan {...mail} />),
  stale: (mail) => letter(`${mail.company} has no recent backup`, <Stale {...mail} />),
};
