import { expect, test } from "playwright/test";
import { test as signedIn } from "./fixtures.ts";
import { account } from "./world.ts";

test("nobody sees anything without signing in, and comes back to where they wanted to go", async ({
  page,
  request,
}) => {
  expect((await request.get("/api/trpc/instances.list")).status()).toBe(401);
  await page.goto("/settings");
  await expect(page).toHaveURL(/\/login\?from=%2Fsettings/);
  await page.getByLabel("Email").fill(account.email);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "Wrong email or password." })).toBeVisible();
  await expect(page.getByLabel("Email")).toHaveValue(account.email);
  await page.getByLabel("Password").fill(account.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Settings", level: 1 })).toBeVisible();
  await expect(page.getByText("Not working")).toHaveCount(0);
  const cookies = await page.context().cookies();
  for (const name of ["spawner-session", "spawner-device"])
    expect(cookies.find((cookie) => cookie.name === name)).toMatchObject({ httpOnly: true, sameSite: "Lax" });
});

signedIn(
  "a person is removed only after a confirmation, and the focus stays in the page",
  async ({ page }) => {
    await page.goto("/settings");
    await expect(page.getByRole("button", { name: "End sessions of Joe" })).toBeVisible();
    await page.getByLabel("Name").fill("Vera Ny");
    await page.getByLabel("Email").fill("vera@intranet.localhost");
    await page.getByLabel("Initial password").fill("correct horse battery staple");
    await page.getByRole("button", { name: "Add person" }).click();
    const remove = page.getByRole("button", { name: "Remove Vera Ny" });
    const dialog = page.getByRole("alertdialog", { name: "Remove Vera Ny?" });

    await remove.click();
    await expect(dialog.getByRole("button", { name: "Cancel" })).toBeFocused();
    await page.keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
    await expect(remove).toBeFocused();

    await remove.click();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await expect(dialog).toHaveCount(0);
    await expect(remove).toHaveCount(0);
    await expect(page.getByRole("main")).toBeFocused();
  },
);

signedIn("a batch's old address redirects to it", async ({ page }) => {
  await page.goto("/together/b1");
  await expect(page).toHaveURL(/\/batches\/b1$/);
  await expect(page.getByText("This batch doesn't exist.")).toBeVisible();
});
