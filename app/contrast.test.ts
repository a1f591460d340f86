import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

/** The palette's contrast by WCAG 2, computed from the stylesheet itself. */

const css = readFileSync(join(import.meta.dirname, "globals.css"), "utf8");

function palette(selector: string): Map<string, number> {
  const block = css.slice(css.indexOf(selector)).match(/\{([^}]*)\}/)?.[1] ?? "";
  return new Map(
    [...block.matchAll(/--([a-z0-9-]+):\s*oklch\(([\d.]+) ([\d.]+) ([\d.]+)\);/g)].map(
      ([, name, l, c, h]) => [name ?? "", luminance(Number(l), Number(c), Number(h))],
    ),
  );
}

/** Relative luminance of an OKLCH colour, by Ottosson's matrices. */
function luminance(lightness: number, chroma: number, hue: number): number {
  const [a, b] = [chroma * Math.cos((hue * Math.PI) / 180), chroma * Math.sin((hue * Math.PI) / 180)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clip = (value: number) => Math.min(1, Math.max(0, value));
  const red = clip(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = clip(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = clip(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const states = ["move", "ok", "warn", "bad"];
const papers = ["paper", "sunken", "raised", "hover"];
const pairs: [front: string, backs: string[], atLeast: number][] = [
  ["ink", papers, 4.5],
  ["ink-2", papers, 4.5],
  ["ink-3", [...papers, ...states.map((state) => `${state}-tint`)], 4.5],
  ...states.map((state): [string, string[], number] => [`${state}-ink`, [...papers, `${state}-tint`], 4.5]),
  ["on-ink", ["ink"], 4.5],
  ["on-bad", ["bad"], 4.5],
  ["field", ["paper"], 3],
  ...states.map((state): [string, string[], number] => [state, ["paper"], 3]),
];

describe.each([
  ["light", ":root {"],
  ["dark", '[data-theme="dark"] {'],
])("%s", (_theme, selector) => {
  const colours = palette(selector);
  test.each(pairs)("%s can be read on %j", (front, backs, atLeast) => {
    for (const back of backs) {
      const [one, two] = [colours.get(front), colours.get(back)];
      if (one === undefined || two === undefined)
        throw new Error(`${front} or ${back} is not in the palette`);
      const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
      expect(contrast, `${front} on ${back}`).toBeGreaterThanOrEqual(atLeast);
    }
  });
});
