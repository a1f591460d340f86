import { describe, expect, test } from "vitest";
import type { OperationState, StepState } from "#db/schema.ts";
import { registry } from "#server/operations/registry.ts";
import { choicesOf } from "./plan.ts";

type Rows = Parameters<typeof choicesOf>[2];
const forward = (state: StepState): Rows[number] => ({ name: "put-back", state, undo: false });
const wayBack = (state: StepState): Rows[number] => ({ name: "way-back", state, undo: true });
const at = (state: OperationState, isCancelled: boolean) => ({
  state,
  cancelRequestedAt: isCancelled ? 1 : null,
});

const does = (
  definition: keyof typeof registry,
  ...rest: [ReturnType<typeof at>, Rows, Parameters<typeof choicesOf>[3]?]
) => {
  const { cancel, retry } = choicesOf(registry[definition], ...rest);
  const said = (choice: typeof cancel) => ("refusal" in choice ? "refused" : choice.does);
  return [said(cancel), said(retry)];
};

describe("what Cancel and Retry do", () => {
  const table: [string, ReturnType<typeof at>, Rows, cancel: string, retry: string][] = [
    ["it runs", at("running", false), [forward("running")], "begin-undo", "nothing"],
    [
      "its automatic way back runs",
      at("running", false),
      [forward("failed"), wayBack("running")],
      "begin-undo",
      "nothing",
    ],
    ["Cancel was pressed", at("running", true), [forward("running")], "nothing", "nothing"],
    [
      "its undo runs",
      at("cancelling", true),
      [forward("cancelled"), wayBack("running")],
      "nothing",
      "nothing",
    ],
    ["it failed", at("failed", false), [forward("failed")], "begin-undo", "go-on"],
    [
      "it failed and went back",
      at("failed", false),
      [forward("failed"), wayBack("done")],
      "refused",
      "go-on",
    ],
    [
      "it failed and could not go back",
      at("failed", false),
      [forward("failed"), wayBack("failed")],
      "begin-undo",
      "go-on",
    ],
    [
      "it failed although it was cancelled",
      at("failed", true),
      [forward("failed")],
      "begin-undo",
      "begin-undo",
    ],
    [
      "its undo failed",
      at("failed", true),
      [forward("cancelled"), wayBack("failed")],
      "go-on-undoing",
      "go-on-undoing",
    ],
    ["it is done", at("done", false), [forward("done")], "refused", "refused"],
    ["it is cancelled", at("cancelled", true), [forward("cancelled"), wayBack("done")], "refused", "refused"],
  ];
  test.each(table)("when %s", (_when, operation, rows, cancel, retry) => {
    expect(does("restore", operation, rows)).toEqual([cancel, retry]);
  });

  test("once a final step has begun there is only the way on", () => {
    const rows = [{ name: "destroy-droplet", state: "running" as const, undo: false }];
    expect(does("destroy", at("running", false), rows)).toEqual(["refused", "nothing"]);
    expect(does("destroy", at("failed", false), rows)).toEqual(["refused", "go-on"]);
  });

  test("with nothing to undo a failed one can only be retried", () => {
    expect(does("restart", at("failed", false), [forward("failed")])).toEqual(["refused", "go-on"]);
  });

  test("with something in the way neither is possible", () => {
    const rows = [forward("cancelled"), wayBack("failed")];
    expect(does("restore", at("failed", true), rows, { obstacle: "Something else is there." })).toEqual([
      "refused",
      "refused",
    ]);
  });

  test("what must not be done once more can still be put back", () => {
    const noRetry = "It is protected.";
    expect(does("destroy", at("failed", false), [forward("failed")], { noRetry })).toEqual([
      "begin-undo",
      "refused",
    ]);
    const undoing = [forward("cancelled"), wayBack("failed")];
    expect(does("destroy", at("failed", true), undoing, { noRetry })).toEqual([
      "go-on-undoing",
      "go-on-undoing",
    ]);
  });
});
