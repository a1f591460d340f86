import type { Clock } from "#server/clock.ts";
import type { Random } from "./random.ts";
import type { Timeline } from "./timeline.ts";

/** One for all: most deadlines pass when nobody listens any more. */
const timedOut = new DOMException("The operation timed out.", "TimeoutError");

/** What all processes of the machine share. */
export type Machine = {
  timeline: Timeline;
  random: Random;
  /** Unix ms at which the life begins, and by how much the wall clock has been set since. */
  wall: { base: number; shift: number };
  /** Whether the token that processes are started with is another team's. */
  hasStrangersToken: boolean;
};

/**
 * A process of the Spawner: it can be killed at any await (nothing comes back to it, though what it sent has its
 * effect), and be stopped for a while and go on with what it was about to do.
 */
export class Process {
  isAlive = true;
  /** Whether it has been started with another team's token. */
  isStrangers: boolean;
  private stoppedUntil = 0;
  readonly machine: Machine;
  readonly name: string;
  readonly clock: Clock;
  /** What becomes of an error that nobody catches. */
  onCrash: (error: unknown) => void = (error) => {
    throw error;
  };

  constructor(machine: Machine, name: string) {
    this.machine = machine;
    this.name = name;
    this.isStrangers = machine.hasStrangersToken;
    const { timeline, wall } = machine;
    this.clock = {
      now: () => wall.base + Math.floor(timeline.now) + wall.shift,
      monotonic: () => wall.base + Math.floor(timeline.now),
      after: (ms, callback) => this.after(ms, callback),
      wait: (ms, signal) =>
        new Promise((resolve, reject) => {
          const cancel = this.after(ms, resolve);
          signal?.addEventListener("abort", () => {
            cancel();
            reject(signal.reason);
          });
        }),
      deadline: (ms) => {
        const controller = new AbortController();
        this.after(ms, () => controller.abort(timedOut));
        return controller.signal;
      },
    };
  }

  /** Dies with the answer on its way; a process that nothing would start again lives on. */
  dieInCall = (): void => {};

  kill(): void {
    this.isAlive = false;
  }

  /** SIGSTOP for `ms`: what comes in waits, what it was about to send as well. */
  stopFor(ms: number): void {
    this.stoppedUntil = Math.max(this.stoppedUntil, this.machine.timeline.now + ms);
  }

  get isStopped(): boolean {
    return this.stoppedUntil > this.machine.timeline.now;
  }

  /** Something reaches the process now: at once, when it goes on, or never. */
  deliver(work: () => void): void {
    if (!this.isAlive) return;
    const waitMs = this.stoppedUntil - this.machine.timeline.now;
    if (waitMs > 0) this.machine.timeline.push(waitMs, () => this.deliver(work));
    else
      try {
        work();
      } catch (error) {
        this.onCrash(error);
      }
  }

  private after(ms: number, callback: () => void): () => void {
    return this.machine.timeline.push(ms, () => this.deliver(callback));
  }

  /**
   * Asks something outside: the request travels, `effect` happens there, and the answer travels back. Each way takes up
   * to `ms`. `effect` is undefined to let the request vanish; an answer that is lost never comes.
   */
  call<Answer>(effect: () => Answer, { ms = 40, isAnswerLost = false } = {}): Promise<Answer> {
    const { timeline, random } = this.machine;
    return new Promise<Answer>((resolve, reject) => {
      const send = () => {
        timeline.push(random.next() * ms, () => {
          let answer: { value: Answer } | { error: unknown };
          try {
            answer = { value: effect() };
          } catch (error) {
            answer = { error };
          }
          if (isAnswerLost) return;
          timeline.push(random.next() * ms, () =>
            this.deliver(() => ("value" in answer ? resolve(answer.value) : reject(answer.error))),
          );
        });
      };
      if (this.isStopped) this.deliver(send);
      else send();
    });
  }
}
