import { Letter, Paragraph } from "./layout.tsx";

export type StaleMail = { company: string; sentence: string; dashboardUrl: string };

/** "… has no recent backup": what is wrong, and the way to put it right. */
export function Stale({ company, sentence, dashboardUrl }: StaleMail) {
  return (
    <Letter
      preview={sentence}
      title={`${company} has no recent backup`}
      action={{ label: "Look at its backups", href: dashboardUrl }}
      facts={[["Dashboard", dashboardUrl]]}
    >
      <Paragraph>{sentence}</Paragraph>
      <Paragraph>Make one now, or see why the planned ones do not come to their end.</Paragraph>
    </Letter>
  );
}
