import { expect, test } from "vitest";
import { emailProblem, spawnInput, variablesInput } from "./inputs.ts";
import { refusalsOf } from "./refusals.ts";
import {
  domainProblem,
  maxVariableBytes,
  slugProblem,
  suggestSlug,
  suggestVariableName,
  variableNameProblem,
} from "./rules.ts";

test.each([
  ["acme", true],
  ["a1", true],
  ["a".repeat(40), true],
  ["a", false],
  ["a".repeat(41), false],
  ["Acme", false],
  ["acme_bakery", false],
  ["-acme", false],
  ["acme-", false],
  ["www", false],
  ["admin", false],
  ["xn--acme", false],
  ["bäckerei", false],
  ["", false],
])("slug %j is allowed: %j", (slug, allowed) => {
  expect(slugProblem(slug) === undefined).toBe(allowed);
});

test.each([
  ["Acme Bakery", "acme-bakery"],
  ["Bergström & Söhne GmbH", "bergstrom-sohne-gmbh"],
  ["  Straße 7 ", "strasse-7"],
  ["WWW", "www-intranet"],
  ["Ø", "o-intranet"],
])("suggests for %j the slug %j", (company, slug) => {
  expect(suggestSlug(company)).toBe(slug);
  expect(slugProblem(slug)).toBeUndefined();
});

test("a suggestion is always a good slug, or none", () => {
  for (const company of ["!!!", "a".repeat(200), `${"ab-".repeat(20)}`, "株式会社", "-x-"]) {
    const slug = suggestSlug(company);
    expect(slug === "" || slugProblem(slug) === undefined, `${company} → ${slug}`).toBe(true);
  }
});

test.each(["ROOT_URL", "MONGO_URL", "PORT", "welcome-text", "1ST", "", "ADMIN_KEY", "A B"])(
  "variable name %j is refused",
  (name) => {
    expect(variableNameProblem(name)).toBeTypeOf("string");
  },
);

test.each(
  "NODE_OPTIONS NODE_ENV NODE_PATH LD_PRELOAD LD_LIBRARY_PATH PATH HOME DROPLET_ROOT BASH_ENV ENV SHELL ENVIRONMENT_FILE PYTHONSTARTUP OPENSSL_CONF NPM_CONFIG_PREFIX".split(
    " ",
  ),
)("variable %s is refused, because it changes how programs start", (name) => {
  expect(variableNameProblem(name)).toBe(`${name} would change how programs start, so it can’t be set.`);
});

test.each([
  "METEOR_SETTINGS",
  "MAIL_URL",
  "LDAP_URL",
  "NODES",
  "HOMEPAGE",
  "PATHS",
  "HTTP_PROXY",
  "ENVIRONMENT",
])("variable %s is the customer's to set", (name) => {
  expect(variableNameProblem(name)).toBeUndefined();
});

test("repairs a variable's name", () => {
  expect(suggestVariableName("welcome-text")).toBe("WELCOME_TEXT");
  expect(variableNameProblem(suggestVariableName("1st try"))).toBeUndefined();
});

test.each(["petra@acme", "petra", "@acme.example", "petra@.example.", "a b@acme.example"])(
  "email %j is refused",
  (email) => {
    expect(emailProblem(email)).toBeTypeOf("string");
  },
);

test("emails and domains that are right", () => {
  expect(emailProblem("petra@acme.example")).toBeUndefined();
  expect(domainProblem("intranet.io")).toBeUndefined();
  expect(domainProblem("intranet")).toBeTypeOf("string");
  expect(domainProblem("Intranet.io")).toBeTypeOf("string");
});

const variable = (name: string, value: string) => ({ name, value, secret: false });

test("variables: names once, at most 100, at most 32 KiB, anything printable", () => {
  const wild = "a'\"$(id)`{{ x }}\r\n\té🥐 ";
  expect(variablesInput.parse([variable("A", wild)])[0]?.value).toBe(wild);
  expect(variablesInput.safeParse([variable("A", "1"), variable("A", "2")]).success).toBe(false);
  expect(variablesInput.safeParse(Array.from({ length: 101 }, (_, i) => variable(`A${i}`, ""))).success).toBe(
    false,
  );
  expect(variablesInput.safeParse([variable("A", "x".repeat(maxVariableBytes))]).success).toBe(false);
  expect(variablesInput.safeParse([variable("A", "\u0000")]).success).toBe(false);
  expect(variablesInput.safeParse([variable("A", "\ud83e")]).success).toBe(false);
});

test("every wrong field gets a sentence of its own", () => {
  const wrong = spawnInput.safeParse({
    idempotencyKey: "00000000-0000-4000-8000-000000000000",
    company: " ",
    contactName: "",
    contactEmail: "petra@acme",
    slug: "Acme_Bakery",
    domain: "x",
    region: "",
    size: "",
    version: "",
    variables: [{ name: "welcome-text", value: "", secret: false }],
  });
  const paths = wrong.error?.issues.map((issue) => issue.path.join("."));
  expect(new Set(paths)).toEqual(
    new Set("company contactName contactEmail slug domain region size version variables.0.name".split(" ")),
  );
  for (const issue of wrong.error?.issues ?? []) expect(issue.message).toMatch(/^[A-Z].*\.$/);
});

test("what is busy cannot be destroyed, and says why", () => {
  const made = {
    isProtected: false,
    hasRun: true,
    isKept: false,
    isDropletGone: false,
    dataMayBeHalf: false,
    purgedAt: null,
  };
  expect(refusalsOf({ ...made, status: "running" }).destroy).toBeUndefined();
  expect(refusalsOf({ ...made, status: "failed" }).destroy).toBeUndefined();
  expect(refusalsOf({ ...made, status: "spawning" }).destroy).toMatch(/Available/);
  expect(refusalsOf({ ...made, status: "running", isProtected: true }).destroy).toMatch(/protected/);
});

test("what may have half of its data can be destroyed, and starts nothing that calls it an intranet", () => {
  const made = { isProtected: false, hasRun: true, isKept: true, isDropletGone: false, purgedAt: null };
  const half = refusalsOf({ ...made, dataMayBeHalf: true, status: "failed" });
  for (const kind of ["restart", "rename", "edit-variables", "change-address", "upgrade", "restore"] as const)
    expect(half[kind]).toMatch(/data may be incomplete/);
  expect(half.destroy).toBeUndefined();
});

test("what is destroyed can come back from its snapshot, and nothing else can", () => {
  const gone = {
    isProtected: false,
    hasRun: true,
    isKept: true,
    isDropletGone: false,
    dataMayBeHalf: false,
    purgedAt: null,
  };
  expect(refusalsOf({ ...gone, status: "destroyed" })["bring-back"]).toBeUndefined();
  expect(refusalsOf({ ...gone, status: "destroyed", isKept: false })["bring-back"]).toMatch(
    /no snapshot and no good backup/,
  );
  expect(refusalsOf({ ...gone, status: "destroyed", purgedAt: 1 })["bring-back"]).toMatch(/for good/);
  expect(refusalsOf({ ...gone, status: "unreachable", isDropletGone: true })).toMatchObject({
    ...{ backup: expect.stringMatching(/gone/), "power-off": expect.stringMatching(/gone/) },
  });
  expect(refusalsOf({ ...gone, status: "unreachable", isDropletGone: true }).destroy).toBeUndefined();
  expect(refusalsOf({ ...gone, status: "running" })["bring-back"]).toMatch(/isn't destroyed/);
  expect(refusalsOf({ ...gone, status: "running" }).purge).toMatch(/Destroy it first/);
});

test("what never ran has nothing to back up, and what is off must be switched on first", () => {
  const made = {
    isProtected: false,
    hasRun: false,
    isKept: false,
    isDropletGone: false,
    dataMayBeHalf: false,
    purgedAt: null,
  };
  expect(refusalsOf({ ...made, status: "failed" }).backup).toMatch(/once it has run/);
  expect(refusalsOf({ ...made, hasRun: true, status: "off" }).backup).toMatch(/switched on/);
  expect(refusalsOf({ ...made, hasRun: true, status: "off" })["power-on"]).toBeUndefined();
});
