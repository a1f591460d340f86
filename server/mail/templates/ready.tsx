import { Letter, Paragraph } from "./layout.tsx";

export type ReadyMail = {
  company: string;
  url: string;
  dashboardUrl: string;
  tookMs: number;
  priceMonthlyCents: number;
  version: string;
};

/** "Your intranet is ready", with the link. */
export function Ready({ company, url, dashboardUrl, tookMs, priceMonthlyCents, version }: ReadyMail) {
  return (
    <Letter
      preview={`${company} is up and running.`}
      title="Your intranet is ready"
      action={{ label: "Open the intranet", href: url }}
      facts={[
        ["Address", url],
        ["Version", version],
        ["Cost", `$${(priceMonthlyCents / 100).toFixed(2)} a month`],
        ["Dashboard", dashboardUrl],
      ]}
    >
      <Paragraph>
        {company} is up and running. It took {duration(tookMs)}.
      </Paragraph>
    </Letter>
  );
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
}
