import { spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { ChildEnv } from "./env.ts";
import { endProcess, identify } from "./identity.ts";
import { openLog, readSince } from "./logs.ts";
import type { ProcessNotes } from "./processes.ts";
import { reasonOf, say, seconds } from "./say.ts";

export type ProcessPlan = {
  /** As people read it, and as it stands in DATA_DIR/processes.json. */
  name: string;
  file: string;
  args: readonly string[];
  cwd: string;
  env: ChildEnv;
  log: string;
  uid?: number;
  gid?: number;
  /** In a process group of its own, so that Ctrl-C in the terminal does not reach it directly. */
  ownGroup?: boolean;
  /** What asks it to end in an orderly way. SIGTERM unless told. */
  stopSignal?: NodeJS.Signals;
  /** Whether it does its work now; asked every 50 ms with what it has written since it was started. */
  isReady: (written: string) => Promise<boolean> | boolean;
  /** Before each start, the first one included. */
  prepare?: () => Promise<void>;
  /** The pause in ms after so many crashes in a row; pauseBeforeStart unless told. */
  pause?: (crashes: number) => number;
  /** When it is ready again after it had ended. */
  onBackAgain?: () => void;
};

export type Supervised = {
  readonly name: string;
  /** Resolves when it is ready for the first time; rejects when it crashed `giveUpAfter` times before that. */
  readonly ready: Promise<void>;
  /** Ends the process on purpose; it is started again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

/** The pause before the nth start in a row (n from 0): 0.2 s, doubling up to 10 s. */
export const pauseBeforeStart = (crashes: number): number =>
  Math.min(10_000, 200 * 2 ** Math.min(crashes, 10));

const longEnoughMs = 30_000;
const giveUpAfter = 5;

/**
 * Keeps one process running: started again whenever it ends, with a growing pause that is forgotten once it has lived
 * for 30 s. Everything it writes is appended to its log; what it is doing does not depend on this process's life.
 */
export function supervise(plan: ProcessPlan, notes: ProcessNotes): Supervised {
  let stopping = false;
  let crashes = 0;
  let pid: number | undefined;
  let wakeUp = (): void => {};
  let isReadyNow = (): void => {};
  let willNotBeReady = (_reason: Error): void => {};
  const ready = new Promise<void>((done, fail) => {
    isReadyNow = done;
    willNotBeReady = fail;
  });
  // Whoever waits for it hears of it; nobody has to.
  ready.catch(() => {});
  let wasReady = false;

  async function watchReadiness(mine: number, offset: number, since: number): Promise<void> {
    while (pid === mine && !stopping) {
      if (await Promise.resolve(plan.isReady(readSince(plan.log, offset))).catch(() => false)) {
        if (pid !== mine || stopping) return;
        say(`  ${plan.name} is up${wasReady ? " again" : ""} (${seconds(since)})`);
        if (wasReady) plan.onBackAgain?.();
        wasReady = true;
        isReadyNow();
        return;
      }
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** One life of the process. Resolves with how it ended. */
  async function live(): Promise<string> {
    const since = Date.now();
    await plan.prepare?.();
    if (stopping) return "not started";
    const { handle, offset } = openLog(plan.log);
    const child = spawn(plan.file, plan.args, {
      cwd: plan.cwd,
      env: plan.env,
      stdio: ["ignore", handle, handle],
      detached: plan.ownGroup === true,
      ...(plan.uid === undefined ? {} : { uid: plan.uid }),
      ...(plan.gid === undefined ? {} : { gid: plan.gid }),
    });
    closeSync(handle);
    const ended = new Promise<string>((done) => {
      child.once("error", (error) => done(`could not be started: ${error.message}`));
      child.once("exit", (code, signal) =>
        done(signal === null ? `exited with ${code}` : `was killed by ${signal}`),
      );
    });
    if (child.pid !== undefined) {
      pid = child.pid;
      notes.note(plan.name, child.pid);
      void watchReadiness(child.pid, offset, since);
    }
    const how = await ended;
    pid = undefined;
    if (Date.now() - since > longEnoughMs) crashes = 0;
    return how;
  }

  async function keepAlive(): Promise<void> {
    while (!stopping) {
      const how = await live().catch((error: unknown) => `could not be started: ${reasonOf(error)}`);
      if (stopping) break;
      if (!wasReady && crashes + 1 >= giveUpAfter) {
        willNotBeReady(new Error(`${plan.name} ${how}, ${giveUpAfter} times in a row. See ${plan.log}`));
        break;
      }
      const pause = (plan.pause ?? pauseBeforeStart)(crashes);
      crashes += 1;
      say(`  ${plan.name} ${how}; starting it again in ${pause / 1000} s`);
      await new Promise<void>((done) => {
        const timer = setTimeout(done, pause);
        wakeUp = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
    notes.forget(plan.name);
  }

  const end = async (): Promise<void> => {
    const identity = pid === undefined ? undefined : identify(pid);
    if (identity !== undefined) await endProcess(identity, 8000, plan.stopSignal);
  };
  const over = keepAlive();
  return {
    name: plan.name,
    ready,
    restart: end,
    async stop() {
      stopping = true;
      wakeUp();
      willNotBeReady(new Error(`${plan.name} was stopped before it was ready`));
      await end();
      await over;
    },
  };
}
