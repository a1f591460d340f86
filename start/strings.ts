import { globSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "./env.ts";
import { readStrings } from "./readStrings.ts";
import { say } from "./say.ts";

/** Prints every string that people may read, so that all of them can be read at once. */
const places = [
  "{app,server,start}/**/*.{ts,tsx,mjs}",
  "local-cloud/api/frontPage.ts",
  "local-cloud/{,edge/,host/}*.ts",
  "local-cloud/droplet/intranet/*.mjs",
];
const isTest = (file: string): boolean => /(\.test\.tsx?$|\/testing\/)/.test(file);
const files = globSync(places, { cwd: root }).filter((file) => !isTest(file));
const found = readStrings(files.sort().map((file) => join(root, file)));
for (const { file, line, text } of found) say(`${relative(root, file)}:${line}: ${text}`);
say(`${found.length} strings`);
