import { readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "playwright/test";
import { signIn } from "./fixtures.ts";
import { createOwnApplication } from "./ownApplication.ts";

const application = createOwnApplication("dev", { shift: 60, addressBase: "127.92" });
test.afterAll(() => application.remove());

test("for developers: the page comes from next dev, and the worker starts again when its sources change", async ({
  browser,
}) => {
  test.setTimeout(240_000);
  await application.up();
  const context = await browser.newContext({ baseURL: `http://localhost:${application.ports.dashboard}` });
  const page = await context.newPage();
  await signIn(page, 60_000);
  await expect(page.locator("script[src*='hmr-client']").first()).toBeAttached();
  const log = () => readFileSync(join(application.dataDir, "logs/worker.log"), "utf8");
  const starts = () => log().split("worker ready").length - 1;
  await expect.poll(starts).toBe(1);
  utimesSync(join(import.meta.dirname, "../server/worker.ts"), new Date(), new Date());
  await expect.poll(starts, { timeout: 30_000 }).toBe(2);
  await context.close();
});
