import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "playwright/test";
import { testToken } from "#local-cloud/testing/testToken.ts";
import { account, ports } from "./world.ts";

const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((file) => existsSync(file));
const dataDir = process.env.E2E_DATA_DIR ?? join(tmpdir(), `spawner-e2e-${process.pid}`);
process.env.E2E_DATA_DIR = dataDir;

export default defineConfig({
  testDir: ".",
  outputDir: "../test-results",
  // What is slow on a small machine is not broken.
  timeout: 240_000,
  expect: { timeout: 15_000 },
  workers: 1,
  forbidOnly: process.env.CI !== undefined,
  reporter: [["line"], ["json", { outputFile: process.env.E2E_REPORT ?? "../test-results/e2e.json" }]],
  use: {
    baseURL: `http://localhost:${ports.dashboard}`,
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      ...(chromium === undefined ? {} : { executablePath: chromium }),
      args: [
        "--no-sandbox",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
      ],
    },
  },
  webServer: {
    command: "npm start",
    cwd: join(import.meta.dirname, ".."),
    url: `http://localhost:${ports.dashboard}/login`,
    timeout: 300_000,
    reuseExistingServer: false,
    stdout: "pipe",
    gracefulShutdown: { signal: "SIGTERM", timeout: 20_000 },
    env: {
      PORT: String(ports.dashboard),
      LOCAL_CLOUD_PORT: String(ports.cloud),
      LOCAL_EDGE_PORT: String(ports.edge),
      LOCAL_SSH_PORT: String(ports.ssh),
      LOCAL_WEB_PORT: String(ports.web),
      LOCAL_BOOT_MS: "1500",
      LOCAL_CLOUD_TOKEN: testToken,
      DATA_DIR: dataDir,
      ADMIN_EMAIL: account.email,
      ADMIN_PASSWORD: account.password,
    },
  },
});
