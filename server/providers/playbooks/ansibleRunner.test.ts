import {
  access,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  rmdir,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createAnsibleRunner } from "./ansibleRunner.ts";
import { type AnsibleRunnerOptions, playbookCommand } from "./command.ts";
import { explainFailure } from "./explainFailure.ts";
import { readJobEvents } from "./jobEvents.ts";
import type { JsonValue, PlaybookEvent, PlaybookReading, PlaybookRun, PlaybookRunner } from "./playbooks.ts";
import { processesOfRun } from "./processes.ts";
import { prepareRun, startRun } from "./start.ts";
import { findAnsible, freePort, startTestDroplet, type TestDroplet } from "./testing/testDroplet.ts";

const ansible = findAnsible();
const title =
  ansible.missing === undefined ? "ansible-runner" : `ansible-runner (skipped: ${ansible.missing})`;

const NASTY: Record<string, string> = {
  PLAIN: "plain",
  QUOTES: `"double" 'single' \`back\` \\ slash`,
  LINES: "first\nsecond\n\n  third  \n",
  CRLF: "a\r\nb\r\n",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's variable, to be kept as it is
  SHELL: "$(id) ${HOME} $HOME; rm -rf / && `id` | cat > x",
  TEMPLATE: "{{ lookup('pipe', 'id') }} {% raw %}{# no #}",
  EMOJI: "Grüße 🎉 日本語 \u2028 \u0085 \ufeff",
  SPACES: "  leading and trailing  ",
  JSON: '{"a": [1, "{{ b }}"]}',
  NUMBER: "0123",
  HEX: "0x1f",
  FLOAT: "1.0",
  DATE: "2026-01-01",
  YES: "yes",
  NULL: "null",
  TILDE: "~",
  EMPTY: "",
  UNSAFE: "!unsafe x: &y *z",
  ADMIN_KEY: 's3cr3t-"key"-with\\slash-🎉',
};

describe.skipIf(ansible.missing !== undefined)(title, { timeout: 120_000 }, () => {
  let droplet: TestDroplet;
  let runsDir: string;
  let options: AnsibleRunnerOptions;
  let runner: PlaybookRunner;
  const started: string[] = [];

  beforeAll(async () => {
    droplet = await startTestDroplet();
  });
  afterAll(async () => {
    await droplet.close();
  });
  beforeEach(async () => {
    runsDir = await mkdtemp(join(tmpdir(), "spawner-runs-"));
    options = {
      runsDir,
      ansibleDir: resolve("ansible"),
      path: ansible.path,
      connectTimeoutSeconds: 2,
    };
    runner = createAnsibleRunner(options);
  });
  afterEach(async () => {
    for (const key of started.splice(0)) await runner.forgetRun(key);
    await rm(runsDir, { recursive: true, force: true });
  });

  function aRun(
    key: string,
    vars: Record<string, JsonValue> = {},
    host: Partial<PlaybookRun["host"]> = {},
  ): PlaybookRun {
    started.push(key);
    return {
      key,
      playbook: "provision",
      host: {
        address: droplet.address,
        port: droplet.port,
        user: "root",
        hostKeys: [droplet.hostKey],
        privateKeyFile: droplet.privateKeyFile,
        ...host,
      },
      vars: {
        company: 'Ünï & "Söhne" {{ 7 * 7 }} 🎉',
        slug: "uni",
        url: "http://uni.intranet.localhost:4080",
        version: "2.14.0",
        runtime: "local",
        releases_url: droplet.releasesUrl,
        environment_variables: NASTY,
        web_port: droplet.webPort,
        contact_email: "joe@example.com",
        ...vars,
      },
    };
  }

  /** Reads until `done` says so, always from the last cursor. */
  async function readUntil(
    key: string,
    done: (reading: PlaybookReading, all: PlaybookEvent[]) => boolean,
    from = 0,
    secrets: readonly string[] = [],
  ): Promise<PlaybookReading> {
    const events: PlaybookEvent[] = [];
    for (let cursor = from; ; ) {
      const reading = await runner.readRun(key, cursor, secrets);
      events.push(...reading.events);
      cursor = reading.cursor;
      if (done(reading, events)) return { ...reading, events };
      if (reading.state !== "running") throw new Error(`ended early: ${reading.state}\n${text(events)}`);
      await new Promise((next) => setTimeout(next, 20));
    }
  }
  const toTheEnd = (key: string, from = 0, secrets: readonly string[] = []) =>
    readUntil(key, ({ state }) => state !== "running", from, secrets);
  const inDownload = (_: PlaybookReading, all: PlaybookEvent[]) =>
    all.some(({ task }) => task?.name === "Download the intranet's software");

  /** The files of all runs that hold a text, relative to their folder. */
  async function filesWith(sought: string): Promise<string[]> {
    const found: string[] = [];
    for (const file of await readdir(runsDir, { recursive: true, withFileTypes: true })) {
      if (!file.isFile() || file.parentPath.startsWith(options.ansibleDir)) continue;
      const path = join(file.parentPath, file.name);
      if ((await readFile(path, "utf8")).includes(sought)) found.push(relative(runsDir, path));
    }
    return found;
  }
  const longAgo = async (path: string) => {
    const time = new Date(Date.now() - 25 * 3_600_000);
    await utimes(path, time, time);
  };

  it("provisions a droplet, with every variable as it was typed", async () => {
    await runner.ensureRun(aRun("spawn-1"));
    const { state, events } = await toTheEnd("spawn-1");

    expect(state, text(events)).toBe("succeeded");
    expect(await droplet.environment()).toEqual({
      ...NASTY,
      COMPANY: 'Ünï & "Söhne" {{ 7 * 7 }} 🎉',
      NODE_ENV: "production",
      ROOT_URL: "http://uni.intranet.localhost:4080",
      HOST: "127.0.0.1",
      PORT: String(droplet.webPort),
      DATA_DIR: join(droplet.root, "var/intranet"),
    });
    expect((await stat(join(droplet.root, "services/environment.json"))).mode & 0o777).toBe(0o600);
    const answer = await fetch(`http://127.0.0.1:${droplet.webPort}/healthz`);
    expect(await answer.json()).toEqual({ status: "ok", version: "2.14.0" });

    const tasks = events.flatMap(({ task }) =>
      task === undefined ? [] : [`${task.index}/${task.total} ${task.name}`],
    );
    expect([...new Set(tasks)]).toEqual([
      "1/10 Wait for the machine",
      "2/10 Get to know the droplet",
      "3/10 Prepare the intranet's folders",
      "4/10 Download the intranet's software",
      "5/10 Unpack the intranet's software",
      "6/10 Write the environment file",
      "7/10 Describe the intranet's service",
      "8/10 Look whether the intranet runs",
      "9/10 Start the intranet",
      "10/10 Wait for the intranet to answer",
    ]);
    expect(events.some(({ line }) => line.includes("\u001b["))).toBe(true);
    expect(text(events)).not.toContain("WARNING");
  });

  it("leaves an intranet that is as it should be alone", async () => {
    await runner.ensureRun(aRun("spawn-1"));
    expect((await toTheEnd("spawn-1")).state).toBe("succeeded");
    await runner.ensureRun(aRun("spawn-2"));
    const { state, events } = await toTheEnd("spawn-2");
    expect(state, text(events)).toBe("succeeded");
    expect(text(events)).toMatch(/changed=0/);
  });

  it("shows no secret, and keeps none on disk after the run", async () => {
    const secret = NASTY.ADMIN_KEY ?? "";
    await runner.ensureRun(aRun("spawn-1"));
    const { state, events } = await toTheEnd("spawn-1", 0, [secret, "Start the intranet"]);
    expect(state).toBe("succeeded");
    expect(text(events)).not.toContain("s3cr3t");
    expect(text(events)).not.toContain("Start the intranet");
    expect(text(events)).toContain("TASK [intranet_local : ••••••]");
    expect(events.find(({ task }) => task?.index === 9)?.task?.name).toBe("••••••");
    expect(await filesWith("s3cr3t")).toEqual([]);
  });

  it("starts one process however often and from wherever it is asked", async () => {
    const run = aRun("spawn-1", { version: "0.0.1" });
    const others = [1, 2, 3].map(() => createAnsibleRunner(options));
    await Promise.all([runner, ...others].map((each) => each.ensureRun(run)));
    await readUntil("spawn-1", inDownload);
    await runner.ensureRun(run);
    const runners = (await processesOfRun(join(runsDir, "spawn-1"))).filter(({ command }) =>
      /ansible-runner start/.test(command),
    );
    expect(runners).toHaveLength(1);
    expect((await readdir(runsDir)).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("starts a run that was prepared by a process that then died", async () => {
    const run = aRun("spawn-1", { version: "0.0.1" });
    await prepareRun(playbookCommand(aRun("spawn-0"), options), runsDir);
    expect((await runner.readRun("spawn-0", 0, [])).state).toBe("lost");
    await prepareRun(playbookCommand(run, options), runsDir);
    await runner.ensureRun(run);
    await readUntil("spawn-1", inDownload);
  });

  it("is read on by another process without a gap or a repetition", async () => {
    await runner.ensureRun(aRun("spawn-1", { company: "0123" }));
    const first = await readUntil("spawn-1", inDownload);
    runner = createAnsibleRunner(options);
    const rest = await toTheEnd("spawn-1", first.cursor);
    expect(rest.state).toBe("succeeded");
    expect((await droplet.environment()).COMPANY).toBe("0123");
    const whole = await createAnsibleRunner(options).readRun("spawn-1", 0, []);
    expect([...first.events, ...rest.events]).toEqual(whole.events);
    expect(await runner.readRun("spawn-1", rest.cursor, [])).toEqual({ ...rest, events: [] });
    // The runner's own end comes a moment after the playbook's.
    for (;;)
      if (
        await access(join(runsDir, "spawn-1/artifacts/run/rc")).then(
          () => true,
          () => false,
        )
      )
        break;
    const printed = await readFile(join(runsDir, "spawn-1/artifacts/run/stdout"), "utf8");
    const lines = (output: string) => output.split(/\r?\n/).filter((line) => line.trim() !== "");
    expect(lines(whole.events.map(({ line }) => line).join("\n"))).toEqual(lines(printed));
  });

  it("says which step did not work", async () => {
    await runner.ensureRun(aRun("spawn-1", { version: "9.9.9" }));
    const { state, events } = await toTheEnd("spawn-1");
    expect(state).toBe("failed");
    const failure = explainFailure(events);
    expect(failure.userMessage).toBe(
      "The intranet's software couldn't be downloaded. Check that this version exists, then try again.",
    );
    expect(failure.detail).toContain("404");
    const failed = events.filter((event) => event.failed === true);
    expect(failed.every(({ task }) => task?.index === 4 && task.total === 10)).toBe(true);
    expect(failed.length).toBeGreaterThan(0);
    expect(await filesWith("s3cr3t")).toEqual([]);
  });

  it("says that a droplet cannot be reached", async () => {
    await runner.ensureRun(aRun("spawn-1", {}, { port: await freePort() }));
    const { state, events } = await toTheEnd("spawn-1");
    expect(state).toBe("failed");
    const failure = explainFailure(events);
    expect(failure.userMessage).toMatch(/^The droplet couldn't be reached over SSH\./);
    expect(failure.detail).toContain("Connection refused");
  });

  it("sends nothing to a droplet with another host key", async () => {
    const before = droplet.commands.length;
    const another = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    await runner.ensureRun(aRun("spawn-1", {}, { hostKeys: [another] }));
    const { state, events } = await toTheEnd("spawn-1");
    expect(state).toBe("failed");
    expect(explainFailure(events).userMessage).toMatch(/^The droplet's host key has changed/);
    expect(droplet.commands).toHaveLength(before);
  });

  it("stops a run for good", async () => {
    const run = aRun("spawn-1", { version: "0.0.1" });
    await runner.ensureRun(run);
    const { cursor } = await readUntil("spawn-1", inDownload);
    await runner.cancelRun("spawn-1");
    expect(await processesOfRun(join(runsDir, "spawn-1"))).toEqual([]);
    const after = await runner.readRun("spawn-1", cursor, []);
    expect(after.state).toBe("cancelled");
    expect(after.events.at(-1)?.line).toBe("The run was cancelled.");
    expect(await runner.readRun("spawn-1", after.cursor, [])).toEqual({ ...after, events: [] });
    await runner.ensureRun(run);
    expect((await runner.readRun("spawn-1", after.cursor, [])).state).toBe("cancelled");
    await runner.cancelRun("spawn-1");
    await runner.cancelRun("never-heard-of");
  });

  it("does not start what was cancelled before it began", async () => {
    const run = aRun("spawn-1");
    await prepareRun(playbookCommand(run, options), runsDir);
    await runner.cancelRun("spawn-1");
    await runner.ensureRun(run);
    expect((await runner.readRun("spawn-1", 0, [])).state).toBe("cancelled");
  });

  it("does not start what was cancelled before anything of it was there, nor after it was put away", async () => {
    const run = aRun("spawn-1");
    await runner.cancelRun("spawn-1");
    for (const each of [runner, createAnsibleRunner(options)]) {
      await each.ensureRun(run);
      expect((await each.readRun("spawn-1", 0, [])).state).toBe("cancelled");
      await each.forgetRun("spawn-1");
      await each.ensureRun(run);
      expect((await each.readRun("spawn-1", 0, [])).state).toBe("cancelled");
    }
    expect(await filesWith("s3cr3t")).toEqual([]);
  });

  it("does not start what was cancelled while it failed to start", async () => {
    const run = aRun("spawn-1");
    const folder = join(runsDir, "spawn-1");
    await prepareRun(playbookCommand(run, options), runsDir);
    await runner.cancelRun("spawn-1");
    // What a start does that was under way and did not find ansible-runner.
    await rmdir(join(folder, "began"));
    await runner.ensureRun(run);
    expect((await runner.readRun("spawn-1", 0, [])).state).toBe("cancelled");
    // And one that had looked for the mark before it was there.
    await startRun(playbookCommand(run, options));
    expect((await runner.readRun("spawn-1", 0, [])).state).toBe("cancelled");
  });

  it("notices a run whose process was killed, and leaves nothing of it running", async () => {
    await runner.ensureRun(aRun("spawn-1", { version: "0.0.1" }));
    const { cursor } = await readUntil("spawn-1", inDownload);
    const folder = join(runsDir, "spawn-1");
    process.kill(Number(await readFile(join(folder, "pid"), "utf8")), "SIGKILL");
    const { state, events } = await toTheEnd("spawn-1", cursor);
    expect(state).toBe("lost");
    expect(explainFailure(events).userMessage).toMatch(/was interrupted on the Spawner's own machine/);
    expect(await processesOfRun(folder)).toEqual([]);
    await expect(access(join(folder, "env/extravars"))).rejects.toThrow();
  });

  it("reads a run of which a process that died has forgotten one half", async () => {
    await prepareRun(playbookCommand(aRun("spawn-1"), options), runsDir);
    const folder = join(runsDir, "spawn-1");
    const event = { counter: 1, event: "verbose", stdout: "a line" };
    await writeFile(join(folder, "artifacts/run/job_events/1-a.json"), JSON.stringify(event));
    await writeFile(join(folder, "artifacts/run/rc"), "0");
    await rm(join(folder, "run.json"));
    const { state, events } = await runner.readRun("spawn-1", 0, []);
    expect({ state, text: text(events) }).toEqual({ state: "succeeded", text: "a line" });
  });

  it("says what ansible-runner said when it died by itself, without secrets", async () => {
    const run = aRun("spawn-1");
    await prepareRun(playbookCommand(run, options), runsDir);
    await writeFile(
      join(runsDir, "spawn-1/daemon.log"),
      "Traceback (most recent call last):\n  in openpty\nOSError: out of pty devices for hunter2-hunter2\n",
    );
    const { events } = await runner.readRun("spawn-1", 0, ["hunter2-hunter2"]);
    expect(explainFailure(events).detail).toMatch(/left no result\. OSError: out of pty devices for \S+$/);
    expect(JSON.stringify(events)).not.toContain("hunter2");
  });

  it("stops a run that takes too long", async () => {
    runner = createAnsibleRunner({ ...options, timeoutSeconds: 1 });
    await runner.ensureRun(aRun("spawn-1", { version: "0.0.1" }));
    const { state, events } = await toTheEnd("spawn-1");
    expect(state).toBe("failed");
    expect(explainFailure(events).userMessage).toMatch(/took too long/);
  });

  it("says when it cannot start, and starts when it can", async () => {
    const run = aRun("spawn-1", { version: "0.0.1" });
    const nowhere = join(runsDir, "nowhere");
    await mkdir(nowhere);
    const broken = createAnsibleRunner({ ...options, binDir: nowhere });
    await expect(broken.ensureRun(run)).rejects.toMatchObject({ name: "ProviderError", retryable: true });
    expect(await broken.check()).toMatchObject({ ok: false });
    await runner.ensureRun(run);
    await readUntil("spawn-1", inDownload);
  });

  it("forgets a run", async () => {
    await runner.ensureRun(aRun("spawn-1", { version: "0.0.1" }));
    await runner.forgetRun("spawn-1");
    await runner.forgetRun("spawn-1");
    expect(await readdir(runsDir)).toEqual(["spawn-1"]);
    expect(await filesWith("")).toEqual([]);
    expect(await processesOfRun(join(runsDir, "spawn-1"))).toEqual([]);
    // The key stays taken: whoever still wanted to begin it comes too late.
    await runner.ensureRun(aRun("spawn-1"));
    expect((await runner.readRun("spawn-1", 0, [])).state).toBe("lost");
  });

  it("puts away what interrupted processes left, and the runs that nobody needs", async () => {
    for (const key of ["needed", "over", "running"])
      await prepareRun(playbookCommand(aRun(key), options), runsDir);
    await runner.ensureRun(aRun("running", { version: "0.0.1" }));
    await readUntil("running", inDownload);
    for (const name of [".draft-old", ".forgotten-old", ".draft-new"]) {
      await mkdir(join(runsDir, name, "env"), { recursive: true });
      await writeFile(join(runsDir, name, "env/extravars"), "s3cr3t");
    }
    for (const name of [".draft-old", ".forgotten-old"]) await longAgo(join(runsDir, name));
    const tidy = () => runner.tidy?.((key) => key === "needed");
    await tidy();
    expect((await filesWith("s3cr3t")).sort()).toEqual([".draft-new/env/extravars", "needed/env/extravars"]);
    expect(await processesOfRun(join(runsDir, "running"))).toEqual([]);
    // Their keys stay taken for a while: a process that slept through it all must not begin them.
    expect(await readdir(runsDir)).toEqual(expect.arrayContaining(["over", "running"]));
    for (const key of ["over", "running"]) await longAgo(join(runsDir, key));
    await tidy();
    expect((await readdir(runsDir)).sort()).toEqual([".draft-new", "needed"]);
  });

  it("waits for an event that is only half written", async () => {
    const key = "half";
    started.push(key);
    await prepareRun(playbookCommand(aRun(key), options), runsDir);
    const events = join(runsDir, key, "artifacts/run/job_events");
    await mkdir(events, { recursive: true });
    const event = (counter: number) =>
      JSON.stringify({ counter, event: "verbose", stdout: `line ${counter}` });
    await writeFile(join(events, "1-a.json"), event(1));
    await writeFile(join(events, "2-b.json"), event(2).slice(0, 20));
    await writeFile(join(events, "3-c.json"), event(3));
    expect((await readJobEvents(events, 0, false)).map(({ counter }) => counter)).toEqual([1]);
    await writeFile(join(events, "2-b.json"), event(2));
    expect((await readJobEvents(events, 1, false)).map(({ counter }) => counter)).toEqual([2, 3]);
  });

  it("tells the versions it found", async () => {
    const { ok, userMessage } = await runner.check();
    expect(ok).toBe(true);
    expect(userMessage).toMatch(/^Ansible \d.*, ansible-runner \d.* and OpenSSH_\S+ are ready\.$/);
  });
});

function text(events: readonly PlaybookEvent[]): string {
  return stripVTControlCharacters(events.map(({ line }) => line).join("\n"));
}
