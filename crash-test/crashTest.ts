import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { percentile } from "#server/operations/engine/durations.ts";
import { registry } from "#server/operations/registry.ts";
import { killAtBoundaries, livesOf, unreached } from "./everyBoundary.ts";
import { fullDisk } from "./fullDisk.ts";
import { withPostgres } from "./postgres.ts";
import { powerLoss } from "./powerLoss.ts";
import { endEverythingAtExit } from "./processes.ts";
import { quickChoice } from "./quickChoice.ts";
import type { Story } from "./story.ts";
import { meetings, twoWorkers } from "./twoWorkers.ts";
import { wholeApplication } from "./wholeApplication.ts";

/**
 * Kills real processes and looks whether anything is lost, leaked or done twice. Prints a line for each story and the
 * figures at the end; the exit code is 1 when a rule was broken.
 *
 *   --quick         a small choice of worker kills, by the seed
 *   --only <text>   the stories whose names hold the text
 *   --seed <n>      other moments, and with --quick another choice; the day's by default
 */
const { values } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string" }, seed: { type: "string" } },
});
const seed = values.seed === undefined ? Math.floor(Date.now() / 86_400_000) : Number(values.seed);
const { only } = values;
const stories: Story[] = [];

function print(story: Story): void {
  stories.push(story);
  const outcome =
    story.skipped !== undefined
      ? `skipped, ${story.skipped}`
      : story.violations.length === 0
        ? "ok"
        : `${story.violations.length} violations`;
  console.log(`${story.name} (${Math.round(story.ms / 1000)} s, ${story.kills} kills): ${outcome}`);
  for (const violation of story.violations) console.log(`    ${violation}`);
}

type Job = { name: string; play: (postgresUrl: string) => Promise<Story> };

const quick: Job = { name: "quick", play: (postgresUrl) => quickChoice(seed, postgresUrl) };
const timedName = "worker killed at a few boundaries, timed: spawn, to its end";
/** Alone, because they are timed: a few kills of one spawn, again and again for as many clean starts. */
const timed = [1, 2, 3, 4, 5].map(
  (moment): Job => ({
    name: timedName,
    play: (postgresUrl) =>
      killAtBoundaries(`${timedName}, ${moment}`, livesOf(registry.spawn).slice(0, 1), {
        ...{ postgresUrl, seed: seed + moment, share: 0.2, isQuick: true, isTimed: true },
      }),
  }),
);
const isWanted = ({ name }: { name: string }) => only === undefined || name.includes(only);
const boundaryName = "worker killed at every boundary";
/** As many Spawners as there are cores; each has some operations of many kinds, and dies at a boundary of several. */
const boundaryJobs = (): Job[] => {
  const wanted = Object.values(registry)
    .flatMap(livesOf)
    .filter(({ kind, life }) => isWanted({ name: `${boundaryName}: ${kind}, ${life.path}` }));
  const spawners = cpus().length;
  return Array.from({ length: spawners }, (_, one) =>
    wanted.filter((_life, index) => index % spawners === one),
  )
    .filter((lives) => lives.length > 0)
    .map((lives, index) => {
      const name = `${boundaryName}, ${index + 1} of ${spawners}`;
      return { name, play: (postgresUrl) => killAtBoundaries(name, lives, { postgresUrl, seed, share: 1 }) };
    });
};

const disturbances: Job[] = [
  ...meetings.map((meeting) => ({
    name: `two workers: ${meeting.signal} ${meeting.moment} ${meeting.step}`,
    play: (postgresUrl: string) => twoWorkers(meeting, postgresUrl),
  })),
  ...[1, 2, 3].map((moment) => ({
    name: "full disk",
    play: (postgresUrl: string) => fullDisk(seed + moment, postgresUrl),
  })),
  ...[1, 2].map((moment) => ({
    name: "power lost",
    play: (postgresUrl: string) => powerLoss(seed + moment, 4, postgresUrl),
  })),
];

/**
 * Runs the jobs side by side: most of what they do is wait. Each lane has a PostgreSQL of its own, because a worker
 * takes up to 22 of its 60 connections.
 */
async function runAll(jobs: readonly Job[], lanes: number): Promise<void> {
  const queue = [...jobs];
  await Promise.all(
    Array.from({ length: Math.min(lanes, jobs.length) }, () =>
      withPostgres(async (postgresUrl) => {
        for (let job = queue.shift(); job !== undefined; job = queue.shift())
          print(await job.play(postgresUrl));
      }),
    ),
  );
}

endEverythingAtExit();
const began = Date.now();
if (values.quick) await runAll([quick], 1);
else {
  await runAll(timed.filter(isWanted), 1);
  await runAll([...boundaryJobs(), ...disturbances.filter(isWanted)], cpus().length * 2);
  await wholeApplication({ seed, rounds: 2, only }, print);
}
report();

function report(): void {
  const boundaries = new Set(stories.flatMap((story) => story.boundaries));
  if (!values.quick && only === undefined)
    for (const gap of Object.values(registry).flatMap((one) => unreached(one, [...boundaries])))
      console.log(`    not covered: ${gap}`);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
  const violations = sum(stories.map((story) => story.violations.length));
  const isTimed = ({ name }: Story) => name.startsWith(timedName);
  const measured = stories.some(isTimed) ? stories.filter(isTimed) : stories;
  const show = (numbers: number[]) =>
    numbers.length === 0
      ? "not measured"
      : `median ${(percentile(numbers, 0.5) / 1000).toFixed(1)} s, max ${(Math.max(...numbers) / 1000).toFixed(1)} s of ${numbers.length}`;
  console.log(`
boundaries            ${boundaries.size}
kills                 ${sum(stories.map((story) => story.kills))}
violations            ${violations}
skipped               ${stories.filter((story) => story.skipped !== undefined).length}
to the first resumed step   ${show(measured.flatMap((story) => story.resumedMs))} (target 5 s)
to the first step, clean    ${show(measured.flatMap((story) => story.cleanMs))}
seed ${seed}, ${Math.round((Date.now() - began) / 1000)} s`);
  process.exitCode = violations > 0 ? 1 : 0;
}
