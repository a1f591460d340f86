import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aliases } from "#db/schema.ts";
import { newId } from "#server/ids.ts";
import { createTestEngine, insertInstance } from "#server/operations/testing/testEngine.ts";
import { ownedDomainProblem, refuseDomain } from "./domains.ts";

test.each([
  "intranet.io",
  "acme.co.uk",
  "intern.acme.de",
  "intranet.localhost",
  "acme.example",
  "xn--rksmrgs-5wao1o.se",
])("%s can be somebody's domain", (domain) => {
  expect(ownedDomainProblem(domain)).toBeUndefined();
});

test.each([
  ["co.uk", /ending under which others register/],
  ["github.io", /ending under which others register/],
  ["127.1", /isn't a domain on the internet/],
  ["0x7f.1", /isn't a domain on the internet/],
  ["192.0.2.1", /isn't a domain on the internet/],
  ["acme.notatld", /isn't a domain on the internet/],
  ["metadata.internal", /isn't a domain on the internet/],
  ["Acme.io", /lower-case/],
])("%s is refused", (domain, sentence) => {
  expect(ownedDomainProblem(domain)).toMatch(sentence);
});

describe("a zone", () => {
  const { db, close } = createTestEngine();
  afterAll(close);
  beforeAll(() => {
    const instanceId = insertInstance(db, { slug: "sec1", domain: "intranet.io" });
    insertInstance(db, { slug: "www2", domain: "portal.customer.se" });
    insertInstance(db, { slug: "gone", domain: "former.se", status: "destroyed", destroyedAt: 1 });
    db.insert(aliases)
      .values({ id: newId(), instanceId, slug: "old", domain: "earlier.dk", role: "redirect", expiresAt: 1 })
      .run();
  });
  const zone = (domain: string) => () =>
    refuseDomain(db, domain, { baseDomains: ["intranet.io", "eu.intranet.net"] });

  test.each(["intranet.io", "portal.customer.se", "earlier.dk", "another.se", "customer.dk", "former.se"])(
    "%s is one of ours, or meets none of them",
    (domain) => {
      expect(zone(domain)).not.toThrow();
    },
  );

  test("at an instance's address, or under it, would take the instance off the net", () => {
    expect(zone("sec1.intranet.io")).toThrow(
      "sec1.intranet.io is an instance's address. Use a domain outside intranet.io.",
    );
    expect(zone("inner.sec1.intranet.io")).toThrow("is an instance's address");
    expect(zone("old.earlier.dk")).toThrow("is an instance's address");
  });

  test("under one of ours would take its names", () => {
    expect(zone("sales.intranet.io")).toThrow(
      "sales.intranet.io belongs to intranet.io. Choose intranet.io, or a domain outside it.",
    );
    expect(zone("x.portal.customer.se")).toThrow("belongs to portal.customer.se");
  });

  test("above one of ours would answer for its names", () => {
    expect(zone("customer.se")).toThrow(
      "customer.se contains portal.customer.se, which other instances use.",
    );
    expect(zone("intranet.net")).toThrow("contains eu.intranet.net");
  });
});
