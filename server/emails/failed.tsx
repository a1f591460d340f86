import { Letter, Paragraph } from "./layout.tsx";

export type FailedMail = {
  company: string;
  operation: string;
  sentence: string;
  /** What still stands, and what it costs. */
  stands: string;
  dashboardUrl: string;
};

/** "… failed": why, what still stands, and the way on. */
export function Failed({ company, operation, sentence, stands, dashboardUrl }: FailedMail) {
  return (
    <Letter
      preview={sentence}
      title={`${company}: ${operation} failed`}
      action={{ label: "See why, and try again", href: dashboardUrl }}
      facts={[["Dashboard", dashboardUrl]]}
    >
      <Paragraph>{sentence}</Paragraph>
      <Paragraph>{stands}</Paragraph>
    </Letter>
  );
}
