import type { APIRequestContext } from "playwright/test";
import {
  adminKey,
  arm,
  askIntranet,
  disarm,
  expect,
  instanceUrl,
  noteOperations,
  openMenu,
  post,
  spawn,
  stepOf,
  test,
  versionAt,
  waitForDone,
  waitForStatus,
  waitUntilRunning,
} from "./fixtures.ts";
import { ports } from "./world.ts";

/** Asks these addresses again and again, one after the other, until it is ended: their statuses at each look. */
function lookAt(request: APIRequestContext, slugs: readonly string[]) {
  const seen: number[][] = [];
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      const answers = await Promise.all(
        slugs.map((slug) =>
          request.get(`http://127.0.0.1:${ports.edge}/`, {
            headers: { host: `${slug}.intranet.localhost:${ports.edge}` },
            maxRedirects: 0,
          }),
        ),
      );
      seen.push(answers.map((answer) => answer.status()));
    }
  })();
  return {
    async end(): Promise<number[][]> {
      isOver = true;
      await looking;
      return seen;
    },
  };
}

test("another address: the old one leads to it, and the post is there", async ({ page, request }) => {
  test.setTimeout(180_000);
  await spawn(page, { company: "Fjell Sport", slug: "fjell" });
  await waitUntilRunning(page);
  await post(page, "fjell", "Written at the old address");
  await page.goto("/instances/fjell");
  await page.getByRole("button", { name: "Change address" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("Slug")).toBeFocused();
  // A click outside closes it, but not once something was typed.
  await page.mouse.click(5, 5);
  await expect(dialog).toHaveCount(0);
  await page.getByRole("button", { name: "Change address" }).click();
  await dialog.getByLabel("Slug").fill("fjell-sport");
  await expect(dialog.getByText("is available.")).toBeVisible();
  await page.mouse.click(5, 5);
  await expect(dialog.getByLabel("Slug")).toHaveValue("fjell-sport");
  const looks = lookAt(request, ["fjell", "fjell-sport"]);
  await dialog.getByRole("button", { name: "Change address" }).click();
  await expect(stepOf(page, "Create the new DNS record")).toBeVisible();
  await expect(page).toHaveURL(/\/instances\/fjell-sport/, { timeout: 90_000 });
  await waitUntilRunning(page);
  const seen = await looks.end();
  // At each moment one of the two led to the intranet: it answered, or sent on to the other.
  expect(seen.length).toBeGreaterThan(10);
  expect(seen.filter((statuses) => !statuses.some((status) => status < 400))).toEqual([]);
  await page.goto(instanceUrl("fjell-sport"));
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("Written at the old address");
  await page.goto(instanceUrl("fjell"));
  expect(page.url()).toBe(`${instanceUrl("fjell-sport")}/`);
  // Nobody else gets the old one while it leads here.
  await page.goto("/instances/new");
  await page.getByLabel("Slug").fill("fjell");
  await expect(page.getByText("fjell.intranet.localhost is taken.")).toBeVisible();
  expect((await askIntranet(request, "fjell-sport", "/healthz")).status()).toBe(200);
});

test("a new company name shows in the intranet and on the page", async ({ page }) => {
  test.setTimeout(180_000);
  await spawn(page, { company: "Hav Bakeri", slug: "hav" });
  await waitUntilRunning(page);
  await page.goto("/instances/hav");
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("Company")).toHaveValue("Hav Bakeri");
  await dialog.getByLabel("Contact email").fill("post@hav");
  await expect(dialog.getByText("The ending is missing.")).toBeVisible();
  await dialog.getByLabel("Contact email").fill("post@hav.example");
  await dialog.getByLabel("Company").fill("Hav & Sønner <Bakeri>");
  await dialog.getByRole("button", { name: "Rename" }).click();
  await waitForDone(page, "Wait for the intranet to answer");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Hav & Sønner <Bakeri>");
  await page.goto(instanceUrl("hav"));
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Hav & Sønner <Bakeri>");
});

test("an instance's page shows its older operations page by page", async ({ page }) => {
  await spawn(page, { company: "Lång Historia", slug: "historia" });
  await waitUntilRunning(page);
  noteOperations("historia", 60);
  await page.goto("/instances/historia");
  const operations = page.getByRole("main").getByRole("link", { name: /^(Rename|Spawn) / });
  const older = page.getByRole("button", { name: "Show older" });
  await expect(operations).toHaveCount(20);
  await older.click();
  await expect(operations).toHaveCount(50);
  await older.click();
  await expect(operations).toHaveCount(61);
  await expect(operations.last()).toContainText("Spawn");
  await expect(older).toHaveCount(0);
});

test("variables: the difference first, then in effect, and back with one click", async ({
  page,
  request,
}) => {
  test.setTimeout(180_000);
  await spawn(page, {
    company: "Nord Apotek",
    slug: "nord-apotek",
    variables: [
      { name: "LOCALE", value: "nb-NO" },
      { name: "SMTP_PASSWORD", value: "first-secret-word", secret: true },
    ],
  });
  await waitUntilRunning(page);
  await page.goto("/instances/nord-apotek");
  await page.getByRole("button", { name: "Edit variables" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Variable value").first().fill("sv-SE");
  await dialog.getByRole("button", { name: "Add variable" }).click();
  await dialog.getByLabel("Variable name").last().fill("GREETING");
  await dialog.getByLabel("Variable value").last().fill('Hej\n"du" {{ x }}');
  await dialog.getByRole("button", { name: "Review changes" }).click();
  const list = dialog.getByRole("list", { name: "Differences" });
  await expect(list.getByRole("listitem")).toHaveCount(2);
  await expect(list).toContainText("nb-NO");
  await expect(list).not.toContainText("SMTP_PASSWORD");
  await dialog.getByRole("button", { name: "Edit variables" }).click();
  await waitForDone(page, "Wait for the intranet to answer");
  const inEffect = async () =>
    (
      await askIntranet(request, "nord-apotek", "/variables", { "x-admin-key": adminKey("nord-apotek") })
    ).json();
  expect(await inEffect()).toMatchObject({
    LOCALE: "sv-SE",
    GREETING: 'Hej\n"du" {{ x }}',
    SMTP_PASSWORD: "first-secret-word",
  });

  await page.goto("/instances/nord-apotek?tab=settings");
  await page.getByRole("button", { name: "Revert to previous variables" }).click();
  await waitForDone(page, "Wait for the intranet to answer");
  expect(await inEffect()).toMatchObject({ LOCALE: "nb-NO", SMTP_PASSWORD: "first-secret-word" });
  expect(Object.keys(await inEffect())).not.toContain("GREETING");
});

test("restart, off and on, another size", async ({ page, request }) => {
  test.setTimeout(240_000);
  await spawn(page, { company: "Sund Fisk", slug: "sund" });
  await waitUntilRunning(page);
  const dialog = page.getByRole("dialog");
  await page.goto("/instances/sund");
  await openMenu(page, "Restart");
  await dialog.getByRole("button", { name: "Restart" }).click();
  await waitForDone(page, "Wait for the intranet to answer");
  await page.goto("/instances/sund");
  await openMenu(page, "Power off");
  await dialog.getByRole("button", { name: "Power off" }).click();
  await waitForStatus(page, "Off");
  expect((await askIntranet(request, "sund", "/healthz")).status()).toBe(502);
  await page.goto("/instances/sund");
  await openMenu(page, "Power on");
  await dialog.getByRole("button", { name: "Power on" }).click();
  await waitUntilRunning(page);
  await page.goto("/instances/sund");
  await openMenu(page, "Resize");
  await dialog.getByLabel("Size").selectOption("s-2vcpu-4gb");
  await expect(dialog).toContainText("$24.00");
  await dialog.getByRole("button", { name: "Resize" }).click();
  await waitForDone(page, "Wait for the intranet to answer");
  await page.goto("/instances/sund");
  await expect(page.getByText("$24.00 a month").first()).toBeVisible();
});

test("an upgrade that fails goes back by itself; the next one succeeds", async ({ page, request }) => {
  test.setTimeout(300_000);
  await spawn(page, { company: "Gamla Kvarnen", slug: "kvarnen", version: "2.13.0" });
  await waitUntilRunning(page);
  await post(page, "kvarnen", "Flour at nine");
  await arm(request, {
    match: { method: "GET", path: "/releases/intranet-2.14.0.tar.gz" },
    times: 20,
    kind: "status",
    status: 500,
  });
  await page.goto("/instances/kvarnen");
  await openMenu(page, "Upgrade");
  await page.getByRole("dialog").getByRole("button", { name: "Upgrade" }).click();
  await expect(stepOf(page, "Install the new version with Ansible")).toContainText("Failed", {
    timeout: 90_000,
  });
  await expect(stepOf(page, "Put the previous data back")).toContainText("Done", { timeout: 90_000 });
  await waitUntilRunning(page);
  expect(await versionAt(request, "kvarnen")).toBe("2.13.0");
  await disarm(request);
  await page.getByRole("button", { name: "Retry" }).click();
  // It is stopped before it is backed up, so that nothing is written that is not in the backup.
  await expect.poll(() => versionAt(request, "kvarnen"), { timeout: 90_000 }).toBe("2.14.0");
  await page.goto(instanceUrl("kvarnen"));
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("Flour at nine");
});
