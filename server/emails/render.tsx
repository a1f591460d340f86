import { render } from "@react-email/render";
import type { ReactElement } from "react";
import { Failed, type FailedMail } from "./failed.tsx";
import { Ready, type ReadyMail } from "./ready.tsx";

type Rendered = { subject: string; html: string; text: string };

async function letter(subject: string, element: ReactElement): Promise<Rendered> {
  return { subject, html: await render(element), text: await render(element, { plainText: true }) };
}

export function renderReadyMail(mail: ReadyMail): Promise<Rendered> {
  return letter(`Your intranet is ready: ${mail.company}`, <Ready {...mail} />);
}

export function renderFailedMail(mail: FailedMail): Promise<Rendered> {
  return letter(`${mail.company}: ${mail.operation} failed`, <Failed {...mail} />);
}
