import { expect, test } from "vitest";
import { templates } from "./render.tsx";

const dashboardUrl = "http://localhost:3000/instances/acme";

test("ready carries the link, the price and how long it took", async () => {
  const mail = await templates.ready({
    ...{ company: "Acme <Bakery>", url: "http://acme.intranet.localhost:4080", dashboardUrl },
    ...{ tookMs: 100_400, priceMonthlyCents: 1200, version: "2.14.0" },
  });
  expect(mail.subject).toBe("Your intranet is ready: Acme <Bakery>");
  expect(mail.html).toContain('href="http://acme.intranet.localhost:4080"');
  expect(mail.html).toContain("Acme &lt;Bakery&gt;");
  expect(mail.html).toContain("@media (prefers-color-scheme: dark)");
  expect(mail.text).toContain("http://acme.intranet.localhost:4080");
  expect(mail.text).toMatch(/1 m 40 s/);
  expect(mail.text).toContain("$12.00 a month");
});

test("failed says why, what is there now and where to go", async () => {
  const mail = await templates.failed({
    ...{
      company: "Acme",
      operation: "Spawn",
      userMessage: "Ansible failed.",
      aftermath: "The instance has no droplet.",
      dashboardUrl,
    },
  });
  expect(mail.text).toContain("Acme: Spawn failed");
  expect(mail.text).toContain("Ansible failed.");
  expect(mail.text).toContain("The instance has no droplet.");
  expect(mail.html).toContain(`href="${dashboardUrl}"`);
});

test("an orphan's mail says what it costs and where to put it right", async () => {
  const mail = await templates.orphan({
    ...{ what: "The droplet acme", monthly: "$12.00", company: "Acme", since: "2027-01-01, 12:00 UTC" },
    dashboardUrl: "http://localhost:3000/drift",
  });
  expect(mail.subject).toBe("The droplet acme costs $12.00 a month and isn't used by any instance");
  expect(mail.text).toContain("2027-01-01, 12:00 UTC");
  expect(mail.html).toContain('href="http://localhost:3000/drift"');
});
