import type { FaultKind } from "./faults.ts";
import { faultKinds } from "./faults.ts";
import { createRandom, type Random } from "./random.ts";

/** What somebody presses. */
export const actions = [
  "spawn",
  "destroy",
  "bring-back",
  "back-up",
  "restore",
  "restore-as-new",
  "prove",
  "change-address",
  "edit-variables",
  "restart",
  "power-off",
  "power-on",
  "resize",
  "upgrade",
  "purge",
  "cancel",
  "retry",
  "back-up-all",
  "plan-backups",
] as const;
export type Action = (typeof actions)[number];

/** One thing that happens in a life, `at` ms from its beginning. `chance` (0…1) decides what is left open. */
export type Happening = { at: number; chance: number } & (
  | { what: "click" /** The first of these that is possible. */; choice: Action[]; times: number }
  | { what: "post" }
  | { what: "fault"; kind: FaultKind; times: number; lastsMs: number }
);

export type Plan = {
  seed: string;
  /** Unix ms at which the wall clock begins. */
  begins: number;
  workers: number;
  happenings: Happening[];
  /** When the faults are over. */
  calmAt: number;
};

/** A day on which Berlin sets its clocks, an hour before. */
const daylightSaving = [Date.UTC(2027, 2, 28, 0, 10), Date.UTC(2027, 9, 31, 0, 10)];
const anyDay = Date.UTC(2027, 4, 12, 9, 0);

/**
 * What happens in the life of this seed. Each life takes some of the actions and some of the faults and repeats them:
 * few kinds of thing that meet often find more than everything at once.
 */
export function planOf(seed: string): Plan {
  const random = createRandom(seed);
  const some = <Item>(items: readonly Item[], count: number): Item[] =>
    shuffled(items, random).slice(0, count);
  const usual = some(
    actions.filter((one) => one !== "spawn" && one !== "cancel" && one !== "retry"),
    random.int(2, 6),
  );
  const faults = some(faultKinds, random.int(1, 5));
  const happenings: Happening[] = [];
  const add = (happening: Happening) => happenings.push(happening);
  const calmAt = random.int(6, 40) * 60_000;
  const moment = () => random.int(0, calmAt);

  const instances = random.int(1, 2);
  for (let index = 0; index < instances; index += 1)
    add({ at: random.int(0, 3000), chance: random.next(), what: "click", choice: ["spawn"], times: 1 });
  const clicks = random.int(3, 9);
  const hasty = random.chance(0.4);
  for (let index = 0; index < clicks; index += 1) {
    const choice: Action[] = random.chance(0.35)
      ? [...some<Action>(["cancel", "retry"], 2), ...shuffled(usual, random)]
      : shuffled(usual, random);
    const at = moment();
    add({ at, chance: random.next(), what: "click", choice, times: random.chance(0.1) ? 2 : 1 });
    // Second thoughts come soon after.
    if (hasty)
      add({
        at: at + random.int(0, 20_000),
        chance: random.next(),
        what: "click",
        choice: random.chance(0.8) ? ["cancel"] : ["retry", ...shuffled(usual, random)],
        times: 1,
      });
  }
  const posts = random.int(4, 14);
  for (let index = 0; index < posts; index += 1) add({ at: moment(), chance: random.next(), what: "post" });
  for (const kind of faults) {
    const rounds = random.int(1, 3);
    for (let index = 0; index < rounds; index += 1)
      add({
        at: moment(),
        chance: random.next(),
        what: "fault",
        kind,
        times: random.chance(0.3) ? random.int(4, 12) : random.int(1, 2),
        lastsMs: random.int(1, 6) * 60_000,
      });
  }
  happenings.sort((a, b) => a.at - b.at);
  const begins = faults.includes("daylight-saving") ? random.pick(daylightSaving) : anyDay;
  return { seed, begins, workers: random.int(1, 2), happenings, calmAt };
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const left = [...items];
  const result: Item[] = [];
  while (left.length > 0) result.push(...left.splice(random.int(0, left.length - 1), 1));
  return result;
}
