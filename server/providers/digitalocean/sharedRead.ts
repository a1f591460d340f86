/**
 * One read for all who wait. A running read is shared. A finished one is reused until it is `maxAgeMs` old, counted from
 * its start. A slow one, with many pages or near the rate limits, is reused for as long again as it took, so that it leaves
 * half of the limits to others. `maxAgeMs: 0` asks for a fresh answer: it waits for the next read, which all who ask
 * meanwhile share too, so that never more than one is running.
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
