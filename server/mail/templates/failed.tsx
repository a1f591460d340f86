import { Letter, Paragraph } from "./layout.tsx";

export type FailedMail = {
  company: string;
  operation: string;
  userMessage: string;
  /** What is there now, and what of it costs money; null when it has been retried since. */
  aftermath: string | null;
  dashboardUrl: string;
};

/** "… failed": why, what is there now, and the way on. */
export function Failed({ company, operation, userMessage, aftermath, dashboardUrl }: FailedMail) {
  return (
    <Letter
      preview={userMessage}
      title={`${company}: ${operation} failed`}
      action={{ label: "View details and retry", href: dashboardUrl }}
      facts={[["Dashboard", dashboardUrl]]}
    >
      <Paragraph>{userMessage}</Paragraph>
      {aftermath !== null && <Paragraph>{aftermath}</Paragraph>}
    </Letter>
  );
}
