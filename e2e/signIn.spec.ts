import { expect, test } from "playwright/test";
import { account } from "./world.ts";

test("nobody sees anything without signing in, and comes back to where they wanted to go", async ({
  page,
  request,
}) => {
  expect((await request.get("/api/trpc/instances.list")).status()).toBe(401);
  await page.goto("/settings");
  await page.waitForURL(/\/login\?from=%2Fsettings/);
  await page.getByLabel("Email").fill(account.email);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "Wrong email or password." })).toBeVisible();
  await expect(page.getByLabel("Email")).toHaveValue(account.email);
  await page.getByLabel("Password").fill(account.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Settings", level: 1 })).toBeVisible();
  await expect(page.getByText("Not working")).toHaveCount(0);
});
