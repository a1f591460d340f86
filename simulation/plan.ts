import { z } from "zod";
import { type FaultKind, faultKinds } from "./faults.ts";
import { createRandom, type Random } from "./random.ts";

/** What somebody presses. */
const actions = [
  "spawn",
  "destroy",
  "bring-back",
  "back-up",
  "restore",
  "restore-as-new",
  "test-restore",
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
  "rename",
] as const;
export type Action = (typeof actions)[number];

const moment = { at: z.number(), chance: z.number() };
/** One thing that happens in a life, `at` ms from its beginning. `chance` (0…1) decides what is left open. */
const happeningSchema = z.discriminatedUnion("what", [
  /** Somebody presses the first of the choices that is possible. */
  z.object({ ...moment, what: z.literal("click"), choice: z.array(z.enum(actions)), times: z.number() }),
  z.object({ ...moment, what: z.literal("post") }),
  z.object({
    ...moment,
    what: z.literal("fault"),
    kind: z.enum(faultKinds),
    times: z.number(),
    lastsMs: z.number(),
  }),
]);
export type Happening = z.infer<typeof happeningSchema>;
type WithoutMoment<One> = One extends unknown ? Omit<One, "at" | "chance"> : never;
type Occasion = WithoutMoment<Happening>;

/** A life before it is lived: the same plan is the same life. */
export const planSchema = z.object({
  seed: z.string(),
  /** Unix ms at which the wall clock begins. */
  begins: z.number(),
  workers: z.number(),
  /** How long what is kept of a destroyed instance is kept, ms. */
  keepDestroyedMs: z.number(),
  /** How long it takes to store a backup, ms. */
  storingMs: z.number(),
  happenings: z.array(happeningSchema),
  /** When the faults are over. */
  calmAt: z.number(),
});
export type Plan = z.infer<typeof planSchema>;

/** Faults that few moments of a life can meet: they wait for theirs. */
const waiting: ReadonlySet<FaultKind> = new Set([
  "not-found-after-create",
  "list-lags",
  "list-shifts",
  "slow-boot",
  "ssh-refused",
  "droplet-stays",
  "action-errors",
  "action-slow",
  "store-damages",
  "store-forgets",
  "store-delays",
  "store-silent",
  "transfer-damages",
  "transfer-slow",
  "swap-interrupted",
  "worker-killed-in-call",
  "mail-answer-lost",
  "mail-down",
]);

/** A day on which Berlin sets its clocks, an hour before. */
const daylightSaving = [Date.UTC(2027, 2, 28, 0, 10), Date.UTC(2027, 9, 31, 0, 10)];
const anyDay = Date.UTC(2027, 4, 12, 9, 0);

/** Faults that only one action meets: their lives press it. */
const actionFor: Partial<Record<FaultKind, Action>> = {
  "swap-interrupted": "restore",
  "action-slow": "resize",
};

/** What a life is to be about, when not everything may happen in it. */
export const focusSchema = z.object({
  actions: z.array(z.enum(actions)).optional(),
  faults: z.array(z.enum(faultKinds)).optional(),
  episodes: z.number().optional(),
  /** People post all the time, so that hardly a moment passes without something to lose. */
  isBusy: z.boolean().optional(),
  /** Whoever has pressed a button soon presses the next one. */
  isHasty: z.boolean().optional(),
});
export type Focus = z.infer<typeof focusSchema>;

/**
 * What happens in the life of this seed. Each life takes some of the actions and some of the faults and repeats them:
 * few kinds of thing that meet often find more than everything at once. It is made of episodes: somebody posts, something
 * is about to go wrong, a button is pressed, somebody posts again and has second thoughts.
 */
export function planOf(seed: string, focus: Focus = {}): Plan {
  const random = createRandom(seed);
  const some = <Item>(items: readonly Item[], count: number) => shuffled(items, random).slice(0, count);
  const usual: readonly Action[] =
    focus.actions ??
    some(
      actions.filter((one) => !["spawn", "cancel", "retry"].includes(one)),
      random.int(1, 5),
    );
  const faults = focus.faults ?? some(faultKinds, random.int(1, 3));
  const wanted: readonly Action[] = [...faults.flatMap((kind) => actionFor[kind] ?? []), ...usual];
  const happenings: Happening[] = [];
  const add = (at: number, occasion: Occasion) =>
    happenings.push({ at: Math.max(0, at), chance: random.next(), ...occasion });
  const click = (at: number, choice: Action[], times = 1) => add(at, { what: "click", choice, times });
  const soon = (longest: number) =>
    random.chance(0.5) ? random.int(0, longest / 8) : random.int(0, longest);
  const fault = (at: number) =>
    add(at, {
      what: "fault",
      kind: random.pick(faults),
      times: random.chance(0.3) ? random.int(3, 12) : random.int(1, 2),
      lastsMs: random.int(1, 4) * 60_000,
    });

  for (const kind of faults)
    if (waiting.has(kind)) add(0, { what: "fault", kind, times: random.int(1, 3), lastsMs: 60 * 60_000 });
  if (random.chance(0.5)) fault(random.int(0, 3000));
  click(random.int(0, 3000), ["spawn"]);
  if (random.chance(0.25)) click(random.int(0, 20_000), ["spawn"]);
  if (random.chance(0.2)) click(random.int(2000, 20_000), ["cancel"]);
  add(random.int(20_000, 40_000), { what: "post" });
  if (random.chance(0.6)) click(random.int(25_000, 60_000), ["back-up"]);

  let at = random.int(60_000, 90_000);
  const episodes = focus.episodes ?? random.int(2, 4);
  for (let episode = 0; episode < episodes; episode += 1) {
    add(at - random.int(2000, 20_000), { what: "post" });
    if (random.chance(0.8)) fault(at - 10_000 + random.int(0, 20_000));
    if (random.chance(0.3)) fault(at + soon(60_000));
    const choice: Action[] = random.chance(0.25)
      ? [random.pick(["retry", "cancel"]), ...shuffled(wanted, random)]
      : shuffled(wanted, random);
    click(at, choice, random.chance(0.1) ? 2 : 1);
    add(at + soon(60_000), { what: "post" });
    if (random.chance(0.5) || focus.isHasty === true) {
      const second: Action[] = random.chance(focus.isHasty === true ? 0 : 0.7)
        ? [random.pick(["cancel", "retry"]), random.pick(["cancel", "retry"])]
        : shuffled(wanted, random);
      click(at + soon(120_000), second);
    }
    if (random.chance(0.5)) add(at + random.int(60_000, 120_000), { what: "post" });
    at += random.int(90_000, 240_000);
  }
  const begins = faults.includes("daylight-saving") ? random.pick(daylightSaving) : anyDay;
  const keepDestroyedMs = random.chance(0.2) ? random.int(60_000, 600_000) : 60 * 86_400_000;
  const storingMs = random.chance(0.1) ? 60_000 : 1500;
  const workers = random.int(1, 2);
  if (focus.isBusy ?? random.chance(0.05))
    for (let post = 20_000; post < at; post += random.int(500, 5000)) add(post, { what: "post" });
  happenings.sort((a, b) => a.at - b.at);
  return { seed, begins, workers, keepDestroyedMs, storingMs, happenings, calmAt: at };
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const left = [...items];
  const result: Item[] = [];
  while (left.length > 0) result.push(...left.splice(random.int(0, left.length - 1), 1));
  return result;
}
