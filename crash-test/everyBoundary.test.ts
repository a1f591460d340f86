import { expect, test } from "vitest";
import { plannedSteps } from "#server/operations/engine/define.ts";
import { choicesOf } from "#server/operations/engine/plan.ts";
import { registry } from "#server/operations/registry.ts";
import { livesOf } from "./everyBoundary.ts";

test.each(Object.values(registry))("$kind: Cancel is pressed only where it isn't refused", (definition) => {
  const names = plannedSteps(definition).map(({ step }) => step.name);
  for (const { life } of livesOf(definition)) {
    if (life.cancelAt === undefined) continue;
    const at = names.indexOf(life.cancelAt);
    const rows = names.map((name, index) => ({
      ...{ name, undo: false },
      state: index < at ? ("done" as const) : index === at ? ("running" as const) : ("waiting" as const),
    }));
    const { cancel } = choicesOf(definition, { state: "running", cancelRequestedAt: null }, rows);
    expect(cancel, life.path).toEqual({ does: "begin-undo" });
  }
});

test("what can be cancelled is cancelled", () => {
  const cancelled = (definition: (typeof registry)[keyof typeof registry]) =>
    livesOf(definition).flatMap(({ life }) => life.cancelAt ?? []);
  expect(cancelled(registry.destroy)).toEqual(["remove-dns"]);
  expect(cancelled(registry["adopt-droplet"])).toEqual([]);
  expect(cancelled(registry["adopt-snapshot"])).toEqual(["adopt-snapshot"]);
});
