import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { chromium } from "playwright";
import { openDatabase, write } from "#db/client.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import type { Stack } from "./stack.ts";

/** Pages that are open: one in a browser, that measures, the others streams in a process of their own. */
const pages = 100;
const lines = 300;
/** Ms between two commits: fifty lines a second are what eight playbooks side by side write. */
const pace = 20;

/**
 * Commits log lines from this process, as the worker does from its own, while a hundred pages are open. For each line
 * the ms from its time in the database (just before the commit) to the browser's next frame after it is in the page.
 */
export async function latency(
  stack: Stack,
  { operationId, instanceId, slug }: { operationId: string; instanceId: string; slug: string },
): Promise<number[]> {
  const others = openStreams(stack, operationId);
  const program = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((file) => existsSync(file));
  const browser = await chromium.launch({
    ...(program === undefined ? {} : { executablePath: program }),
    args: ["--no-sandbox"],
  });
  const { db, connection } = openDatabase(join(stack.dataDir, "spawner.sqlite"));
  const commit = (text: string) => {
    const at = Date.now();
    write(db, (tx) =>
      appendEvent(tx, {
        ...{ at, kind: "log", instanceId, operationId, step: "provision" },
        data: { text, failed: false },
      }),
    );
    return at;
  };
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    await context.addCookies(cookiesOf(stack));
    const page = await context.newPage();
    await page.goto(`${stack.dashboard}/instances/${slug}?operation=${operationId}`);
    const log = page.getByRole("region", { name: "Log" });
    await log.waitFor();
    const shown = await log.evaluateHandle((region) => {
      const times = new Map<string, number>();
      let isDue = false;
      new MutationObserver(() => {
        if (isDue) return;
        isDue = true;
        requestAnimationFrame(() => {
          isDue = false;
          const now = performance.timeOrigin + performance.now();
          for (const [mark] of (region.textContent ?? "").matchAll(/bench-line-\d+-/g))
            if (!times.has(mark)) times.set(mark, now);
        });
      }).observe(region, { childList: true, characterData: true, subtree: true });
      return times;
    });
    await others.opened;
    // The page's own stream is there when a first line has arrived in it.
    commit("bench-line-0-");
    await log.getByText("bench-line-0-").waitFor();

    const committed = new Map<string, number>();
    for (let line = 1; line <= lines; line += 1) {
      const text = `bench-line-${line}-`;
      committed.set(text, commit(text));
      await wait(pace);
    }
    await log.getByText(`bench-line-${lines}-`).waitFor();
    await wait(100);
    const times = new Map(await shown.evaluate((seen) => [...seen]));
    return [...committed].map(([mark, at]) => {
      const seenAt = times.get(mark);
      if (seenAt === undefined) throw new Error(`${mark} was never shown.`);
      return seenAt - at;
    });
  } finally {
    connection.close();
    await browser.close();
    const arrived = await others.close();
    // What is slow elsewhere must not look quick here.
    if (arrived < (pages - 1) * lines) process.stderr.write(`  only ${arrived} lines arrived elsewhere\n`);
  }
}

function openStreams(stack: Stack, operationId: string) {
  const input = encodeURIComponent(JSON.stringify({ operationId }));
  const url = `${stack.dashboard}/api/trpc/live?input=${input}`;
  const given = JSON.stringify({ url, cookie: stack.cookie, count: pages - 1 });
  const script = join(import.meta.dirname, "streams.ts");
  const child: ChildProcess = spawn(process.execPath, ["--import", "tsx", script, given], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  const opened = new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("open\n")) resolve();
    });
    child.once("exit", (code) => reject(new Error(`The streams ended with ${code}.`)));
  });
  return {
    opened,
    /** Ends it; how many lines have arrived in all of its streams. */
    async close(): Promise<number> {
      const ended = once(child, "close");
      child.kill("SIGTERM");
      await ended;
      return Number(/arrived (\d+)/.exec(said)?.[1] ?? 0);
    },
  };
}

const cookiesOf = (stack: Stack) =>
  stack.cookie.split("; ").map((cookie) => {
    const at = cookie.indexOf("=");
    return { name: cookie.slice(0, at), value: cookie.slice(at + 1), url: stack.dashboard };
  });
