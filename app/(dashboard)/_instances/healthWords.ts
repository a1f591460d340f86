import type { HourView } from "#server/api/views.ts";

const words: Record<HourView["state"], string> = {
  up: "up",
  slow: "slow",
  down: "down",
  unknown: "no data",
};
const order = Object.keys(words) as HourView["state"][];

/** What the bar shows, in words: "up 23 h, slow 1 h". */
export function healthInWords(hours: readonly HourView[]): string {
  return order
    .map((state) => ({ state, count: hours.filter((hour) => hour.state === state).length }))
    .filter(({ count }) => count > 0)
    .map(({ state, count }) => `${words[state]} ${count} h`)
    .join(", ");
}

/** One hour of it: "03:00 to 04:00, slow, 1250 ms". */
export function hourInWords({ hour, state, medianMs }: HourView): string {
  const clock = (at: number) => new Date(at).toLocaleTimeString("en-GB", { timeStyle: "short" });
  const times = `${clock(hour)} to ${clock(hour + 3_600_000)}, ${words[state]}`;
  return medianMs === null ? times : `${times}, ${medianMs} ms`;
}
