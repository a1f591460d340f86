import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: [
      "{ansible,app,server,db,docs,local-cloud,start,bench,simulation,crash-test}/**/*.test.{ts,tsx}",
    ],
    // Real processes and real servers: what is slow on a small machine is not broken.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 3,
  },
});
