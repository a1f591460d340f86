import { Letter, Paragraph } from "./layout.tsx";

export type StaleMail = { company: string; sentence: string; dashboardUrl: string };

/** "… has no recent backup": what is wrong, and the way to put it right. */
export function Stale({ company, sentence, dashboardUrl }: StaleMail) {
  return (
    <Letter
      preview={sentence}
      title={`${company} has no recent backup`}
      action={{ label: "View backups", href: dashboardUrl }}
      facts={[["Dashboard", dashboardUrl]]}
    >
      <Paragraph>{sentence}</Paragraph>
      <Paragraph>Back up now, or find out why scheduled backups aren’t finishing.</Paragraph>
    </Letter>
  );
}
