import { expect, test } from "vitest";
import type { HourView } from "#server/api/views.ts";
import { healthInWords, hourInWords } from "./healthWords.ts";

const hours = (state: HourView["state"], count: number): HourView[] =>
  Array.from({ length: count }, () => ({ hour: 0, state, medianMs: null }));

test.each([
  [[...hours("up", 12), ...hours("slow", 1), ...hours("up", 11)], "up 23 h, slow 1 h"],
  [[...hours("unknown", 20), ...hours("down", 3), ...hours("slow", 1)], "slow 1 h, down 3 h, no data 20 h"],
  [hours("up", 24), "up 24 h"],
])("hours are added up in words", (day, text) => {
  expect(healthInWords(day)).toBe(text);
});

test("an hour says when it was, how it was and how long answers took", () => {
  const hour = new Date(2026, 10, 28, 3).getTime();
  expect(hourInWords({ hour, state: "slow", medianMs: 1250 })).toBe("03:00 to 04:00, slow, 1250 ms");
  expect(hourInWords({ hour, state: "unknown", medianMs: null })).toBe("03:00 to 04:00, no data");
});
