/**
 * One read for everybody who waits. A read under way is shared; a finished one is reused while it is at most `maxAgeMs`
 * old, counted from when it was asked. `maxAgeMs: 0` wants what is true from now on: it waits for the next read, which
 * all who ask meanwhile share as well, so that there is never more than one under way.
 */
export function createSharedRead<Answer>(read: () => Promise<Answer>, monotonic: () => number) {
  type Read = { askedAt: number; answer: Promise<Answer> };
  let running: Read | undefined;
  let last: Read | undefined;
  let next: Promise<Answer> | undefined;

  function start(): Promise<Answer> {
    const mine: Read = { askedAt: monotonic(), answer: read() };
    running = mine;
    mine.answer.then(
      () => {
        last = mine;
        running = undefined;
      },
      () => {
        running = undefined;
      },
    );
    return mine.answer;
  }

  return (maxAgeMs: number): Promise<Answer> => {
    if (running !== undefined) {
      if (maxAgeMs > 0) return running.answer;
      next ??= running.answer
        .then(
          () => {},
          () => {},
        )
        .then(() => {
          next = undefined;
          return start();
        });
      return next;
    }
    if (next !== undefined) return next;
    if (last !== undefined && monotonic() - last.askedAt < Math.max(maxAgeMs, 0)) return last.answer;
    return start();
  };
}
