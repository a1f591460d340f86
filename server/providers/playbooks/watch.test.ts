import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hasSucceeded } from "./jobEvents.ts";
import { createRunWatches } from "./watch.ts";

let run: string;
let events: string;
let watches: ReturnType<typeof createRunWatches>;

beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), "spawner-watch-"));
  events = join(run, "artifacts/run/job_events");
  await mkdir(events, { recursive: true });
  watches = createRunWatches();
});
afterEach(async () => {
  watches.stop("run-1");
  await rm(run, { recursive: true, force: true });
});

/** As ansible-runner writes it: beside its place, then renamed. */
async function write(counter: number, event: string, event_data: object = {}): Promise<void> {
  const file = join(events, `${counter}-b0c4.json`);
  await writeFile(`${file}.tmp`, JSON.stringify({ counter, event, event_data }, undefined, 1));
  await rename(`${file}.tmp`, file);
}

/** Resolves when the watch tells. */
const told = (cursor: number): Promise<void> =>
  new Promise((tell, refuse) => {
    if (!watches.start("run-1", run, cursor, tell)) refuse(new Error("it cannot be watched"));
  });

describe("createRunWatches", () => {
  it("tells of what is written after it began", async () => {
    const news = told(0);
    await write(1, "playbook_on_start");
    await news;
  });

  it("tells of what was there before, but had not been read", async () => {
    await write(1, "playbook_on_start");
    await write(2, "playbook_on_play_start");
    await told(1);
  });

  it("tells of the end", async () => {
    const news = told(0);
    await writeFile(join(run, "artifacts/run/rc"), "4");
    await news;
  });

  it("tells when the process is gone and has said nothing", async () => {
    const child = spawn("true");
    await new Promise((ended) => child.once("exit", ended));
    await writeFile(join(run, "pid"), `${child.pid}\n`);
    await told(0);
  });

  it("tells once for each start, and nothing after a stop", async () => {
    let calls = 0;
    watches.start("run-1", run, 0, () => {
      calls += 1;
    });
    const news = told(0);
    await write(1, "playbook_on_start");
    await news;
    await write(2, "playbook_on_stats");
    watches.start("run-1", run, 0, () => {
      calls += 1;
    });
    watches.stop("run-1");
    await told(1);
    expect(calls).toBe(0);
  });

  it("says when there is nothing to watch", () => {
    expect(watches.start("run-2", join(run, "nowhere"), 0, () => {})).toBe(false);
  });
});

describe("hasSucceeded", () => {
  const good = { processed: { droplet: 1 }, ok: { droplet: 3 }, failures: {}, dark: {} };

  it("is so when the statistics name a machine and no failure", async () => {
    await write(1, "playbook_on_start");
    expect(await hasSucceeded(events)).toBe(false);
    await write(2, "playbook_on_stats", good);
    expect(await hasSucceeded(events)).toBe(true);
    await write(3, "verbose");
    expect(await hasSucceeded(events)).toBe(true);
  });

  it.each([
    ["a failed task", { ...good, failures: { droplet: 1 } }],
    ["an unreachable machine", { ...good, dark: { droplet: 1 } }],
    ["no machine at all", { ...good, processed: {} }],
    ["statistics that say nothing", {}],
  ])("leaves it to the exit status after %s", async (_what, data) => {
    await write(1, "playbook_on_stats", data);
    expect(await hasSucceeded(events)).toBe(false);
  });

  it("knows nothing of a run that has no events", async () => {
    expect(await hasSucceeded(join(run, "nowhere"))).toBe(false);
  });
});
