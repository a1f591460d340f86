import { render } from "@react-email/render";
import type { ReactElement } from "react";
import { Failed, type FailedMail } from "./failed.tsx";
import { Orphan, type OrphanMail } from "./orphan.tsx";
import { Ready, type ReadyMail } from "./ready.tsx";
import { Stale, type StaleMail } from "./stale.tsx";

type Rendered = { subject: string; html: string; text: string };

async function letter(subject: string, element: ReactElement): Promise<Rendered> {
  const text = await render(element, {
    plainText: true,
    // A company's name stays as its people write it.
    htmlToTextOptions: { selectors: [{ selector: "h1", options: { uppercase: false } }] },
  });
  return { subject, html: await render(element), text };
}

export function renderReadyMail(mail: ReadyMail): Promise<Rendered> {
  return letter(`Your intranet is ready: ${mail.company}`, <Ready {...mail} />);
}

export function renderFailedMail(mail: FailedMail): Promise<Rendered> {
  return letter(`${mail.company}: ${mail.operation} failed`, <Failed {...mail} />);
}

export function renderStaleMail(mail: StaleMail): Promise<Rendered> {
  return letter(`${mail.company} has no recent backup`, <Stale {...mail} />);
}

export function renderOrphanMail(mail: OrphanMail): Promise<Rendered> {
  return letter(
    `${mail.what} costs ${mail.monthly} a month and belongs to no instance`,
    <Orphan {...mail} />,
  );
}
