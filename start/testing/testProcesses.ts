import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder of its own for the test that is running; it is gone when the test is over. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "spawner-start-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a few lines of JavaScript as a process of its own, whose first output is waited for. */
export async function runScript(source: string): Promise<{ child: ChildProcess; pid: number; said: string }> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = await new Promise<string>((done, fail) => {
    child.stdout.once("data", (data: Buffer) => done(data.toString()));
    child.once("exit", (code) => fail(new Error(`The script ended with ${code} and said nothing`)));
  });
  if (child.pid === undefined) throw new Error("The script has no process id");
  return { child, pid: child.pid, said };
}

/** A process that lives until it is ended. */
export const runSleeper = () => runScript("setInterval(() => {}, 1000); console.log('here')");

/** Resolves when it is true. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((done) => setTimeout(done, 10));
}

/** Ends it as a power cut would. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGKILL");
  await ended;
}
