import { type APIRequestContext, expect, test } from "playwright/test";
import { signIn, spawn, waitUntilRunning } from "./fixtures.ts";
import { createOwnApplication } from "./ownApplication.ts";

/** One of its own, because this test stops it and kills it. */
const application = createOwnApplication("start", { shift: 50, addressBase: "127.93" });
test.afterAll(() => application.remove());

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const visit = async (request: APIRequestContext): Promise<string> => {
  const headers = { host: `evergreen.intranet.localhost:${application.ports.edge}` };
  const answer = await request
    .get(`http://127.0.0.1:${application.ports.edge}/`, { headers })
    .catch(() => undefined);
  return answer === undefined ? "" : answer.text();
};

test("an intranet is the same after a restart, and after kill -9 of everything", async ({
  browser,
  request,
}) => {
  test.setTimeout(300_000);
  await application.up();
  const second = application.launch();
  await second.ended();
  expect(second.child.exitCode).not.toBe(0);
  expect(second.said()).toMatch(/already|runs/);

  const context = await browser.newContext({ baseURL: `http://localhost:${application.ports.dashboard}` });
  const page = await context.newPage();
  await signIn(page);
  await spawn(page, { company: "Evergreen", slug: "evergreen" });
  await waitUntilRunning(page);
  await request.post(`http://127.0.0.1:${application.ports.edge}/posts`, {
    headers: { host: `evergreen.intranet.localhost:${application.ports.edge}` },
    form: { text: "Here to stay" },
    maxRedirects: 0,
  });
  expect(await visit(request)).toContain("Here to stay");

  const before = application.processIds();
  await application.stop();
  await expect.poll(() => before.filter(isAlive), { timeout: 30_000 }).toEqual([]);
  expect(await visit(request)).toBe("");

  await application.up();
  await expect.poll(() => visit(request), { timeout: 60_000 }).toContain("Here to stay");

  const running = application.processIds();
  application.kill();
  for (const pid of running) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  await application.up();
  await expect.poll(() => visit(request), { timeout: 60_000 }).toContain("Here to stay");
  await page.goto("/instances/evergreen");
  await waitUntilRunning(page);
  await context.close();
});
