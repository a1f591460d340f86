import { gzipSync } from "node:zlib";
import type { Page } from "playwright/test";
import { expect, test } from "./fixtures.ts";

const kib = 1024;

/** The gzipped size of a page's scripts in bytes, without those for old browsers. */
async function scriptsOf(page: Page, path: string): Promise<number> {
  const html = await (await page.request.get(path)).text();
  const addresses = [...html.matchAll(/<script\b[^>]*>/g)]
    .filter(([tag]) => !/\bnomodule\b/i.test(tag))
    .flatMap(([tag]) => tag.match(/\bsrc="([^"]+)"/)?.[1] ?? []);
  let bytes = 0;
  for (const address of new Set(addresses))
    bytes += gzipSync(await (await page.request.get(address)).body()).length;
  return bytes;
}

test("the list and an instance's page load less than 200 KiB of JavaScript before they show", async ({
  page,
}) => {
  for (const path of ["/", "/instances/anything"]) {
    const bytes = await scriptsOf(page, path);
    expect(bytes, path).toBeGreaterThan(100 * kib);
    expect(bytes, path).toBeLessThan(200 * kib);
  }
});

test("a menu opens by keyboard before its code has loaded, and returns the focus", async ({ page }) => {
  // No prefetch: the press itself has to load the code.
  await page.addInitScript(() => {
    window.requestIdleCallback = () => 0;
  });
  for (const key of ["Enter", "Space", "ArrowDown"]) {
    await page.goto("/");
    const button = page.getByRole("complementary").getByRole("button", { name: /^Account of ./ });
    await button.focus();
    for (const _ of ["first", "again"]) {
      await page.keyboard.press(key);
      await expect(page.getByRole("menuitem", { name: "System" })).toBeFocused();
      await page.keyboard.press("ArrowDown");
      await expect(page.getByRole("menuitem", { name: "Light" })).toBeFocused();
      await page.keyboard.press("Escape");
      await expect(page.getByRole("menu")).toHaveCount(0);
      await expect(button).toBeFocused();
    }
  }
});

test("what can't be loaded says so, and how to get it", async ({ page }) => {
  await page.addInitScript(() => {
    window.requestIdleCallback = () => 0;
  });
  await page.goto("/");
  const button = page.getByRole("complementary").getByRole("button", { name: /^Account of ./ });
  await expect(button).toBeVisible();
  await page.route("**/_next/static/**", (route) => route.abort());
  await button.click();
  const alert = page.getByRole("alert").filter({ hasText: "couldn't be loaded" });
  await expect(alert).toHaveText(/Check your connection, then reload the page\./);
  await page.unroute("**/_next/static/**");
  await alert.getByRole("button", { name: "Reload" }).click();
  await expect(alert).toHaveCount(0);
  await button.click();
  await expect(page.getByRole("menuitem", { name: "System" })).toBeVisible();
});

test("a phone's navigation is there at once, and leads to the outbox by the settings", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 700 });
  await page.route("**/api/trpc/**", (route) => route.abort());
  await page.goto("/settings");
  const places = page.getByRole("navigation", { name: "Main" }).getByRole("link");
  await expect(places).toHaveText(["Instances", "Backups", "Activity", "Drift", "Settings"]);
  await page.unroute("**/api/trpc/**");
  await page.reload();
  await page.getByRole("link", { name: "Open the outbox" }).click();
  await expect(page.getByRole("heading", { name: "Outbox", level: 1 })).toBeVisible();
  await expect(places).toHaveCount(5);
});

test("an icon-only navigation shows a label on hover and on keyboard focus", async ({ page }) => {
  await page.setViewportSize({ width: 900, height: 700 });
  const link = page.getByRole("complementary").getByRole("link", { name: "Backups" });
  const tip = page.locator("[popover]");
  await link.hover();
  await expect(tip).toHaveText("Backups");
  const [place, beside] = [await tip.boundingBox(), await link.boundingBox()];
  expect(place?.x).toBeGreaterThanOrEqual((beside?.x ?? 0) + (beside?.width ?? 0));
  expect(Math.abs((place?.y ?? 0) - (beside?.y ?? 0))).toBeLessThan(20);
  await page.keyboard.press("Escape");
  await expect(tip).toHaveCount(0);
  await link.focus();
  await page.keyboard.press("Tab");
  await expect(tip).toHaveText("Activity");
  await page.keyboard.press("Tab");
  await expect(tip).toHaveText("Drift");
});

test("pages run the dashboard's own scripts only, and may not be kept or framed", async ({ page }) => {
  const violations: string[] = [];
  page.on("console", (message) => {
    if (/content security policy/i.test(message.text())) violations.push(message.text());
  });
  const nonces = new Set<string>();
  const paths = ["/", "/login", "/instances/new", "/backups", "/activity", "/drift", "/outbox", "/settings"];
  for (const path of paths) {
    const headers = (await page.goto(path))?.headers() ?? {};
    const policy = headers["content-security-policy"] ?? "";
    const scripts = policy.split("; ").find((part) => part.startsWith("script-src")) ?? "";
    expect(scripts).not.toMatch(/unsafe/);
    nonces.add(/'nonce-([^']+)'/.exec(scripts)?.[1] ?? "none");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers["cache-control"]).toContain("no-store");
    expect(headers["cross-origin-opener-policy"]).toBe("same-origin");
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
  expect(nonces.size).toBe(paths.length);
  expect(violations).toEqual([]);

  // As markup would that somebody slipped in.
  const isPlanted = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const holder = document.createElement("div");
        holder.innerHTML = `<img src="data:image/png,no" onerror="document.documentElement.dataset.planted = 'yes'">`;
        document.body.append(holder);
        holder.firstElementChild?.addEventListener("error", () =>
          resolve(document.documentElement.dataset.planted === "yes"),
        );
      }),
  );
  expect(isPlanted).toBe(false);
  await expect.poll(() => violations.length).toBe(1);
});
