import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { playwrightCounts, readReport, vitestCounts } from "./reports.ts";
import { freshFolder } from "./testing/testProcesses.ts";

const unit = {
  numPassedTests: 7,
  numFailedTests: 1,
  numPendingTests: 2,
  testResults: [
    { status: "failed", assertionResults: [{}] },
    { status: "failed", assertionResults: [] },
  ],
};

test("a test file that could not be loaded counts as one failed", () => {
  expect(vitestCounts(unit)).toEqual({ passed: 7, failed: 2, skipped: 2 });
});

test("Playwright's counts", () => {
  const report = { stats: { expected: 3, unexpected: 1, flaky: 1, skipped: 4 }, errors: [{}] };
  expect(playwrightCounts(report)).toEqual({ passed: 4, failed: 2, skipped: 4 });
});

test("no report, half a report, or a bad end without a failed test: one failed", () => {
  const folder = freshFolder();
  const file = join(folder, "report.json");
  const nothing = { passed: 0, failed: 1, skipped: 0 };
  expect(readReport(file, vitestCounts, true)).toEqual(nothing);
  writeFileSync(file, "{");
  expect(readReport(file, vitestCounts, true)).toEqual(nothing);
  writeFileSync(file, JSON.stringify({ ...unit, numFailedTests: 0, testResults: [] }));
  expect(readReport(file, vitestCounts, false)).toEqual({ passed: 7, failed: 1, skipped: 2 });
  expect(readReport(file, vitestCounts, true)).toEqual({ passed: 7, failed: 0, skipped: 2 });
});
