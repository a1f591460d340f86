/** DigitalOcean: 5000 requests an hour per token and a burst of 250 a minute; listing keys 10 in 60 s. */
export type RateLimits = { perHour: number; perMinute: number; keysPerMinute: number };

export type RateAnswer = {
  headers: Record<string, string>;
  /** Set when the request must be refused with 429. */
  refused?: { retryAfterSeconds: number | undefined };
};

const hourMs = 3_600_000;
const minuteMs = 60_000;

/** Sliding windows per token, in memory. */
export function createRateLimit(limits: RateLimits, now: () => number = Date.now) {
  const hours = new Map<string, number[]>();
  const keyLists = new Map<string, number[]>();

  function windowOf(map: Map<string, number[]>, token: string, lengthMs: number): number[] {
    const fresh = (map.get(token) ?? []).filter((at) => at > now() - lengthMs);
    map.set(token, fresh);
    return fresh;
  }

  return {
    /** Counts one request of a token and says how it stands. */
    take(token: string, listsKeys: boolean): RateAnswer {
      const at = now();
      const hour = windowOf(hours, token, hourMs);
      const minute = hour.filter((when) => when > at - minuteMs);
      const keys = listsKeys ? windowOf(keyLists, token, minuteMs) : [];
      const answer = (refused?: { retryAfterSeconds: number | undefined }): RateAnswer => ({
        headers: {
          "ratelimit-limit": String(limits.perHour),
          "ratelimit-remaining": String(Math.max(0, limits.perHour - hour.length)),
          "ratelimit-reset": String(Math.ceil(((hour[0] ?? at) + hourMs) / 1000)),
        },
        ...(refused ? { refused } : {}),
      });
      // retry-after comes with the burst limit only; for the hour the reset header must do.
      if (hour.length >= limits.perHour) return answer({ retryAfterSeconds: undefined });
      if (minute.length >= limits.perMinute) return answer({ retryAfterSeconds: wait(minute[0] ?? at, at) });
      if (listsKeys && keys.length >= limits.keysPerMinute) {
        return answer({ retryAfterSeconds: wait(keys[0] ?? at, at) });
      }
      hour.push(at);
      if (listsKeys) keys.push(at);
      return answer();
    },
  };
}

function wait(oldest: number, at: number): number {
  return Math.max(1, Math.ceil((oldest + minuteMs - at) / 1000));
}
