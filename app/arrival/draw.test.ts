import { expect, test } from "vitest";
import { segments } from "#app/progress/segments.ts";
import { operationView } from "#app/testing/testViews.ts";
import type { StepView } from "#server/api/views.ts";
import { drawArrival } from "./draw.ts";
import { planOf, tall, wide } from "./geometry.ts";

const step = (name: string, state: StepView["state"], over: Partial<StepView> = {}): StepView => ({
  ...{ name, state, label: name, fork: null, branch: null, undo: false, attempts: 1 },
  ...{ startedAt: null, endedAt: null, usualMs: 10_000, slowMs: null, progress: null, failure: null },
  ...over,
});
const steps = [
  step("create-droplet", "done"),
  step("droplet-ready", "done"),
  step("provision", "running", { fork: 2, branch: 0, startedAt: 1000 }),
  step("create-dns", "done", { fork: 2, branch: 1 }),
  step("app-ready", "waiting"),
  step("email", "waiting"),
];
const operation = operationView("o1", "running", steps);
const arrival = { company: `<b>Acme</b> & "Sons"`, doing: "is being prepared", operation };
const words = { "create-droplet": "Machine", provision: "Installing", "create-dns": "Address" };

test("the plan is the operation's, in words for visitors, and ends with the opened intranet", () => {
  expect(planOf(segments(steps), words)).toEqual([
    { label: "Machine", tone: "past" },
    { lanes: [[{ label: "Installing", tone: "now" }], [{ label: "Address", tone: "past" }]] },
    { label: "Open", tone: "ahead" },
  ]);
  expect(planOf(segments(steps), { provision: "Installing" })).toEqual([
    { label: "Installing", tone: "now" },
    { label: "Open", tone: "ahead" },
  ]);
});

test.each([wide, tall])("the line forks, joins, and never runs backwards: %o", (draw) => {
  const { dots, paths, width, height } = draw(planOf(segments(steps), words));
  expect(dots.map(({ label }) => label)).toEqual(["Machine", "Installing", "Address", "Open"]);
  const along = draw === wide ? dots.map(({ x }) => x) : dots.map(({ y }) => y);
  expect(along[1]).toBe(along[2]);
  expect(along[0]).toBeLessThan(along[1] ?? 0);
  expect(along[2]).toBeLessThan(along[3] ?? 0);
  for (const { x, y } of dots) expect(x > 0 && x < width && y > 0 && y < height).toBe(true);
  expect(paths.map(({ d }) => d).join()).not.toMatch(/NaN|undefined/);
  expect(new Set(paths.map(({ tone }) => tone))).toEqual(
    new Set(["ahead", "past", ...(draw === wide ? ["now"] : [])]),
  );
});

test("the page says how long it may take, and takes no markup from a name", async () => {
  const page = await drawArrival(arrival, 1000);
  expect(page).toContain("&lt;b&gt;Acme&lt;/b&gt; &amp; &quot;Sons&quot;&#39;s intranet is being prepared");
  expect(page).not.toContain("<b>Acme");
  expect(page).toContain("About 30 seconds left.");
  const failed = { ...arrival, operation: { ...operation, state: "failed" as const } };
  expect(await drawArrival(failed, 1000)).toContain("This is taking longer than usual.");
});
