import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

/** Keeps promises.md honest: what it quotes is still said, and what it names as a check still exists. */

const root = resolve(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const readAll = (pattern: string): string =>
  globSync(pattern, { cwd: root })
    .map((file) => read(file))
    .join("\n");
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

type Row = { place: string; promise: string; checks: string[] };

/** The rows of promises; a heading names the file, or the folder, that its rows quote. Figures have tables of their own. */
function readRows(): Row[] {
  const rows: Row[] = [];
  let place = "";
  for (const line of read("docs/promises.md").split("\n")) {
    if (line.startsWith("## ")) place = line.slice(3);
    const isRow = place !== "Figures" && line.startsWith("|") && !/^\| (promise|-+) /.test(line);
    if (!isRow) continue;
    const found = /^\| “(?<promise>.+?)” +\| (?<checks>.+?) +\| .*\|$/.exec(line)?.groups;
    if (found === undefined) throw new Error(`This row cannot be read: ${line}`);
    const { promise = "", checks = "" } = found;
    rows.push({ place, promise, checks: checks.split("<br>") });
  }
  return rows;
}

/** What is wrong with a check as the page names it; undefined when it exists. */
function problemWith(check: string): string | undefined {
  if (check === "**unchecked**") return undefined;
  if (check === "`biome.json`") return undefined;
  const rule = /^simulation rule “(.+)”$/.exec(check)?.[1];
  if (rule !== undefined)
    return simulation.includes(`broken("${rule}"`) ? undefined : `the simulation has no rule "${rule}"`;
  const story = /^crash test “(.+)”$/.exec(check)?.[1];
  if (story !== undefined) return isCrashTest(story) ? undefined : `the crash test has no story "${story}"`;
  const [, file = "", title = ""] = /^`(.+)` “(.+)”$/.exec(check) ?? [];
  if (file === "") return `"${check}" names nothing`;
  if (!existsSync(join(root, file))) return `there is no ${file}`;
  return isTitleIn(read(file), title) ? undefined : `${file} has no test "${title}"`;
}

const simulation = readAll("simulation/*.ts");
const crashTest = readAll("crash-test/*.ts");

/** The names of stories are written as they are, with only what varies filled in. */
const isCrashTest = (story: string): boolean => new RegExp(`["\`]${escaped(story)}`).test(crashTest);

/** A title is the first argument of test, it or describe; of their `each` it is that of the second call. */
const isTitleIn = (source: string, title: string): boolean =>
  new RegExp(`\\(\\s*(["'\`])${escaped(title)}\\1\\s*,`).test(source);

const rows = readRows();
const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ");

describe.each(["README.md", "docs/production.md", "docs/decisions/"])("what %s promises", (place) => {
  const promised = rows.filter((row) => row.place === place);

  test("is quoted word for word, each sentence once", () => {
    expect(promised.length).toBeGreaterThan(0);
    const text = oneLine(place.endsWith("/") ? readAll(`${place}*.md`) : read(place));
    expect(promised.map(({ promise }) => promise).filter((one) => !text.includes(one))).toEqual([]);
    expect(new Set(promised.map(({ promise }) => promise)).size).toBe(promised.length);
  });

  test("is checked by what exists, or said to be unchecked", () => {
    const problems = promised.flatMap(({ checks }) => checks.flatMap((check) => problemWith(check) ?? []));
    expect(problems).toEqual([]);
  });
});

test("the commands that repeat the checks name tests that exist", () => {
  const files = globSync(
    "{app,server,db,docs,local-cloud,start,bench,simulation,crash-test,ansible,e2e}/**/*.{test,spec}.{ts,tsx}",
    { cwd: root },
  );
  const named = [...read("docs/promises.md").matchAll(/`npm run (?:unit|e2e) -- ([^`]+)`/g)].flatMap(
    ([, names = ""]) => names.split(" ").filter((name) => /^[\w./-]+\.(test|spec)/.test(name)),
  );
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((name) => !files.some((file) => file.includes(name)))).toEqual([]);
});

test("no row is under another heading", () => {
  expect(new Set(rows.map(({ place }) => place))).toEqual(
    new Set(["README.md", "docs/production.md", "docs/decisions/"]),
  );
});

test("what does not exist is found", () => {
  expect(problemWith("`docs/promises.test.ts` “no such title”")).toMatch("has no test");
  expect(problemWith("`docs/nowhere.test.ts` “what does not exist is found”")).toMatch("there is no");
  expect(problemWith("simulation rule “no such rule”")).toMatch("no rule");
  expect(problemWith("crash test “no such story”")).toMatch("no story");
  expect(problemWith("somebody looked at it")).toMatch("names nothing");
});

test("every link between the documents leads somewhere", () => {
  const files = ["README.md", ...globSync("docs/**/*.md", { cwd: root })];
  const broken = files.flatMap((file) =>
    [...read(file).matchAll(/\]\((?!https?:)([^)#]+)/g)]
      .map(([, link = ""]) => link)
      .filter((link) => !existsSync(join(root, dirname(file), link)))
      .map((link) => `${file}: ${link}`),
  );
  expect(broken).toEqual([]);
});
