import { Letter, Paragraph } from "./layout.tsx";

export type OrphanMail = {
  /** "The droplet acme.intranet.io". */
  what: string;
  monthly: string;
  company: string;
  /** When it was found, as people read it. */
  since: string;
  dashboardUrl: string;
};

/** "… costs money and isn't used by any instance": what it is, since when, and where to put it right. */
export function Orphan({ what, monthly, company, since, dashboardUrl }: OrphanMail) {
  return (
    <Letter
      preview={`${what} isn't used by any instance.`}
      title={`${what} costs ${monthly} a month and isn't used by any instance`}
      action={{ label: "Review drift", href: dashboardUrl }}
      facts={[
        ["Created for", company],
        ["Found", since],
        ["Dashboard", dashboardUrl],
      ]}
    >
      <Paragraph>
        We created it, but our records don’t account for it. Adopt it or delete it on the Drift page.
      </Paragraph>
    </Letter>
  );
}
