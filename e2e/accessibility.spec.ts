import type { Locator } from "playwright/test";
import {
  expect,
  expectNoFaults,
  forgetDrift,
  instanceUrl,
  noteDrift,
  noteHealth,
  openMenu,
  spawn,
  test,
  waitUntilRunning,
} from "./fixtures.ts";

const changedRecord = {
  ...{ domain: "intranet.localhost", name: "alla", address: "127.0.0.2", actual: "192.0.2.1" },
  isOurs: false,
};

test("no page, tab or dialog has an accessibility fault that a machine can find", async ({
  page,
  context,
}) => {
  test.setTimeout(300_000);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await spawn(page, { company: "Alla Kan", slug: "alla" });
  const visitor = await context.newPage();
  await visitor.goto(instanceUrl("alla"));
  await expect(visitor.getByRole("list", { name: "Steps" })).toBeVisible();
  await expectNoFaults(visitor, "arrival");
  await visitor.close();
  await waitUntilRunning(page);
  await page.getByRole("button", { name: "Back up now" }).click();
  await expect(page.getByText("Back up done")).toBeVisible({ timeout: 60_000 });

  noteHealth("alla", [
    { slow: 120, medianMs: 1250 },
    { down: 120, medianMs: null },
    { up: 120, medianMs: 41 },
  ]);

  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.goto("/instances/alla");
    await expect(
      page.getByRole("img", { name: /^Last 24 hours: up \d h, slow 1 h, down 1 h, no data \d+ h$/ }),
    ).toBeVisible();
    const tabs = ["overview", "backups", "activity", "settings"].map((tab) => `/instances/alla?tab=${tab}`);
    for (const path of [
      "/",
      "/instances/new",
      "/settings",
      "/activity",
      "/outbox",
      "/backups",
      "/drift",
      "/instances/nobody",
      "/batches/nothing",
      ...tabs,
    ]) {
      await page.goto(path);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
      await expectNoFaults(page, `${path} (${colorScheme})`);
    }

    const dialog = page.getByRole("alertdialog").or(page.getByRole("dialog"));
    /** Looks at the dialog, and leaves it: the focus is in it, and afterwards where it was opened. */
    const leave = async (where: string, opener: Locator) => {
      await expect(dialog).toBeVisible();
      await expect(dialog.locator(":focus")).toHaveCount(1);
      await expectNoFaults(page, `${where} (${colorScheme})`);
      await page.keyboard.press("Escape");
      await expect(dialog).toHaveCount(0);
      await expect(opener).toBeFocused();
    };
    await page.goto("/instances/alla");
    for (const name of ["Change address", "Edit variables", "Destroy instance"]) {
      const opener = page.getByRole("button", { name, exact: true });
      await opener.click();
      await leave(name, opener);
    }
    for (const name of ["Restart", "Power off", "Resize", "Upgrade"]) {
      await openMenu(page, name);
      await leave(name, page.getByRole("button", { name: "More actions" }));
    }
    await page.goto("/backups");
    const restore = page.getByRole("button", { name: /^Restore Alla Kan, / });
    await restore.click();
    await leave("Restore", restore);
    const more = page.getByRole("button", { name: /^More actions for the backup of Alla Kan, / });
    for (const name of ["Restore as a new instance", "Test restore"]) {
      await more.click();
      await page.getByRole("menuitem", { name }).click();
      await leave(name, more);
    }
    noteDrift("alla", { type: "changed-record", recordId: 1, ...changedRecord });
    noteDrift("alla", { type: "missing-ssh-key", name: `key-${colorScheme}` });
    await page.goto("/drift");
    await expect(page.getByRole("region", { name: "Missing" })).toBeVisible();
    await expectNoFaults(page, `drift (${colorScheme})`);
    const repair = page.getByRole("button", { name: `Repair SSH key key-${colorScheme}` });
    await repair.click();
    await leave("Repair", repair);
    forgetDrift();
    await page.goto("/");
    await page.getByLabel("Select Alla Kan").check();
    await expectNoFaults(page, `selection (${colorScheme})`);
    const destroyAll = page
      .getByRole("region", { name: "Selection" })
      .getByRole("button", { name: "Destroy" });
    await destroyAll.click();
    await leave("Destroy many", destroyAll);
  }
});

test("everything is reached by keyboard alone: spawn, watch, back up, destroy", async ({ page }) => {
  test.setTimeout(180_000);
  await page.goto("/");
  const press = async (key: string, times = 1) => {
    for (let count = 0; count < times; count += 1) await page.keyboard.press(key);
  };
  /** Goes on with Tab until this has the focus. */
  const reach = async (name: string, role: "button" | "link" | "textbox" | "menuitem") => {
    const target = page.getByRole(role, { name, exact: true });
    for (let count = 0; count < 80; count += 1) {
      if (
        (await target.count()) > 0 &&
        (await target.first().evaluate((node) => node === document.activeElement))
      )
        return;
      await press("Tab");
    }
    throw new Error(`${role} "${name}" cannot be reached with Tab`);
  };
  await reach("New instance", "link");
  await press("Enter");
  await expect(page).toHaveURL("/instances/new");
  for (const [name, value] of [
    ["Company", "Tangent Bord"],
    ["Contact name", "Petra"],
    ["Contact email", "petra@acme.example"],
  ] as const) {
    await reach(name, "textbox");
    await page.keyboard.type(value);
  }
  await expect(page.getByLabel("Slug")).toHaveValue("tangent-bord");
  await reach("Spawn instance", "button");
  await press("Enter");
  await expect(page).toHaveURL(/tangent-bord/);
  // The form has gone, and the focus with it.
  await expect(page.getByRole("main")).toBeFocused();
  await waitUntilRunning(page);
  await reach("Back up now", "button");
  await press("Enter");
  await expect(page.getByText("Back up done")).toBeVisible({ timeout: 60_000 });
  await reach("Destroy instance", "button");
  await press("Enter");
  const dialog = page.getByRole("alertdialog");
  await expect(dialog.getByLabel("Type tangent-bord to confirm")).toBeFocused();
  await page.keyboard.type("tangent-bord");
  await press("Enter");
  if (await dialog.isVisible()) {
    await reach("Destroy instance", "button");
    await press("Enter");
  }
  await expect(page.getByRole("main").getByText("Destroyed", { exact: true }).first()).toBeVisible({
    timeout: 60_000,
  });
});
