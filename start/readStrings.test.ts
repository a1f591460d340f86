import { expect, test } from "vitest";
import { readStrings } from "./readStrings.ts";

function stringsIn(source: string): string[] {
  const name = "/example.tsx";
  return readStrings([name], { readFile: (file) => (file === name ? source : undefined) }).map(
    ({ line, text }) => `${line}: ${text}`,
  );
}

test("text between tags is found, and what a condition puts there", () => {
  const source = `const x = <p>
    Hello, {isMany ? "many" : \`only \${one}\`} <b>friends</b>
    {kind === "bulk" && "and more"}
  </p>;`;
  expect(stringsIn(source)).toEqual(["2: Hello,", "2: many", "2: only {…}", "2: friends", "3: and more"]);
});

test("labels in attributes and properties are found, names for machines are not", () => {
  const source = `const x = <Field label="Company" placeholder="Acme Inc." className="flex p-4" id="Company" key="a b" />;
    const labels = { running: "Running", role: "Status" };`;
  expect(stringsIn(source)).toEqual(["1: Company", "1: Acme Inc.", "2: Running"]);
});

test("sentences are found with their values left out, markup without its tags", () => {
  const source = `throw new Error(\`\${name} couldn't be reached. \` + "Try again.");
    const page = html\`<h1 class="big">Local cloud</h1> \${rows}\`;`;
  expect(stringsIn(source)).toEqual(["1: {…} couldn't be reached.", "1: Try again.", "2: Local cloud {…}"]);
});

test("imports, types, keys, SQL and class lists are left out", () => {
  const source = `import x from "A label";
    type Kind = "Two words";
    const a = [sql\`select all of it\`, "select all from it", "text-sm md:p-4 font-medium", "bringBack", "/a/b"];`;
  expect(stringsIn(source)).toEqual([]);
});
