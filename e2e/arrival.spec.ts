import { askIntranet, expect, instanceUrl, spawn, test } from "./fixtures.ts";

test("before the intranet is there its address says how far it is, and then gives way to it", async ({
  page,
  context,
  request,
}) => {
  await spawn(page, { company: "Bokhandeln Norr", slug: "bokhandeln" });
  const visitor = await context.newPage();
  await visitor.goto(instanceUrl("bokhandeln"));
  await expect(visitor.getByRole("heading", { level: 1 })).toHaveText(
    "Bokhandeln Norr's intranet is being prepared",
  );
  await expect(visitor.getByRole("list", { name: "Steps" })).toContainText("Installing the intranet");
  expect(await visitor.content()).not.toContain("droplet");
  // Programs are told the truth: it is not there.
  expect((await askIntranet(request, "bokhandeln", "/healthz")).status()).toBeGreaterThanOrEqual(404);
  await expect(visitor.getByRole("heading", { name: "Bokhandeln Norr", exact: true }).first()).toBeVisible({
    timeout: 60_000,
  });
  await expect(visitor.getByRole("button", { name: "Post" })).toBeVisible();
});
