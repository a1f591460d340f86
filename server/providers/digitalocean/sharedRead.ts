/**
 * One read for everybody who waits. A read under way is shared; a finished one is reused while it is at most `maxAgeMs`
 * old, counted from when it was asked; and one that took long, because it has many pages or the limits are near, for as
 * long again as it took, so that it leaves half of what there is to others. `maxAgeMs: 0` wants what is true from now on: it waits for the next read, which
 * all who ask meanwhile share as well, so that there is never more than one under way.
 */
export function createSharedRead<Answer>(read: () => Promise<Answer>, monotonic: () => number) {
  type Read = { askedAt: number; tookMs: number; answer: Promise<Answer> };
  let running: Read | undefined;
  let last: Read | undefined;
  let next: Promise<Answer> | undefined;

  function start(): Promise<Answer> {
    const mine: Read = { askedAt: monotonic(), tookMs: 0, answer: read() };
    running = mine;
    mine.answer.then(
      () => {
        mine.tookMs = monotonic() - mine.askedAt;
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
    const isYoung = ({ askedAt, tookMs }: Read) => monotonic() - askedAt < Math.max(maxAgeMs, 2 * tookMs);
    if (maxAgeMs > 0 && last !== undefined && isYoung(last)) return last.answer;
    return start();
  };
}
