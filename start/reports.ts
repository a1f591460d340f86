import { readFileSync } from "node:fs";
import { z } from "zod";

export type Counts = { passed: number; failed: number; skipped: number };

const vitestReport = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number().default(0),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});

/** Vitest's JSON report in counts. A file that could not even be loaded has no test and counts as one failed. */
export function vitestCounts(report: unknown): Counts {
  const parsed = vitestReport.parse(report);
  const broken = parsed.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  return {
    passed: parsed.numPassedTests,
    failed: parsed.numFailedTests + broken.length,
    skipped: parsed.numPendingTests + parsed.numTodoTests,
  };
}

const playwrightReport = z.object({
  stats: z.object({ expected: z.number(), unexpected: z.number(), flaky: z.number(), skipped: z.number() }),
  errors: z.array(z.unknown()).default([]),
});

/** Playwright's JSON report in counts. A test that passed only when repeated has passed; an error outside a test has failed. */
export function playwrightCounts(report: unknown): Counts {
  const { stats, errors } = playwrightReport.parse(report);
  return {
    passed: stats.expected + stats.flaky,
    failed: stats.unexpected + errors.length,
    skipped: stats.skipped,
  };
}

/** A run without a readable report, or one that failed without a failed test, counts as one failed. */
export function readReport(file: string, counts: (report: unknown) => Counts, isGood: boolean): Counts {
  let found: Counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    found = counts(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return { ...found, failed: 1 };
  }
  return !isGood && found.failed === 0 ? { ...found, failed: 1 } : found;
}
