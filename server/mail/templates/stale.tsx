import { Letter, Paragraph } from "./layout.tsx";

export type StaleMail = { company: string; userMessage: string; dashboardUrl: string };

/** "… has no recent backup": what is wrong, and the way to put it right. */
export function Stale({ company, userMessage, dashboardUrl }: StaleMail) {
  return (
    <Letter
      preview={userMessage}
      title={`${company} has no recent backup`}
      action={{ label: "View backups", href: dashboardUrl }}
      facts={[["Dashboard", dashboardUrl]]}
    >
      <Paragraph>{userMessage}</Paragraph>
      <Paragraph>Back up now, or find out why scheduled backups aren’t finishing.</Paragraph>
    </Letter>
  );
}
