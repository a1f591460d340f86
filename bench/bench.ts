import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { percentile } from "#server/operations/engine/durations.ts";
import { bareSpawn } from "./bareSpawn.ts";
import { answerEverywhere, spawnAtOnce } from "./crowd.ts";
import { measureGrowth } from "./growth.ts";
import { type HealthShare, measureHealth } from "./health.ts";
import { latency } from "./latency.ts";
import { finished, press } from "./spawns.ts";
import { startStack } from "./stack.ts";
import { fewest, measureThousand } from "./thousand/thousand.ts";

/**
 * What the Spawner adds to what its parts cost, as ratios taken side by side in one run. Prints a table and writes
 * the same as JSON to bench/results/. Pass the names of parts to run only those; --quick skips the slowest.
 */

type Figure = { figure: string; value: string; target: string; met: boolean | null };
const figures: Figure[] = [];
const say = (text: string) => process.stderr.write(`${text}\n`);
const ratio = (figure: string, value: number, limit: number) =>
  figures.push({ figure, value: value.toFixed(2), target: `≤ ${limit}`, met: value <= limit });

/** Medians of so many rounds. */
const repeats = 7;
const median = (numbers: number[]) => percentile(numbers, 0.5);

const report = (figure: string, value: string) =>
  figures.push({ figure, value, target: "reported", met: null });
const grown: Figure[] = [];
const grows = (figure: string, value: string, target: string, met: boolean | null) =>
  grown.push({ figure, value, target, met });

async function oneSpawn(): Promise<void> {
  say("One spawn beside its parts …");
  const one = await startStack(3300);
  const idle = one.memory().spawner;
  const walls: number[] = [];
  const playbooks: number[] = [];
  const requests: number[] = [];
  const bareWalls: number[] = [];
  const barePlaybooks: number[] = [];
  const bareRequests: number[] = [];
  let watched: { operationId: string; instanceId: string; slug: string } | undefined;
  // The first rounds teach the Spawner how long a droplet takes to boot, and warm up both sides.
  for (let round = -3; round < repeats; round += 1) {
    const before = await one.requests();
    const slug = `spawn-${round + 3}`;
    watched = { ...(await press(one, slug)), slug };
    const run = await finished(one, watched.operationId);
    const between = await one.requests();
    const bare = await bareSpawn(one, `bare-${round + 3}`);
    const after = await one.requests();
    if (round < 0) continue;
    walls.push(run.wall);
    playbooks.push(run.steps.provision ?? 0);
    requests.push(between.total - before.total);
    bareWalls.push(bare.boot + bare.playbook + bare.answer);
    barePlaybooks.push(bare.playbook);
    bareRequests.push(after.total - between.total);
    const byHand = Math.round(bare.boot + bare.playbook + bare.answer);
    say(
      `  spawn ${run.wall} ms, by hand ${byHand} ms; ansible ${run.steps.provision} ms, by hand ${Math.round(bare.playbook)} ms`,
    );
  }
  ratio("wall of a spawn ÷ its critical path by hand", median(walls) / median(bareWalls), 1.05);
  ratio("requests to DigitalOcean ÷ the fewest a script needs", median(requests) / median(bareRequests), 1.3);

  say("Events to 100 open pages …");
  if (watched === undefined) throw new Error("There was no spawn.");
  const delays = await latency(one, watched);
  const p99 = percentile(delays, 0.99);
  figures.push({
    figure: "commit → shown in a browser, 100 pages open, p99",
    value: `${Math.round(p99)} ms`,
    target: "< 100 ms",
    met: p99 < 100,
  });
  ratio("Ansible step ÷ the same ansible-playbook by hand", median(playbooks) / median(barePlaybooks), 1.1);
  await one.stop();
  report("memory idle, before the first spawn", `${idle} MiB`);
}

async function fiftySpawns(): Promise<void> {
  say("Fifty spawns beside one …");
  const many = await startStack(3320, {
    ANSIBLE_DIR: join(import.meta.dirname, "waiting"),
    PLAYBOOKS_AT_ONCE: "50",
    LOCAL_RATE_PER_MINUTE: "250",
    LOCAL_DROPLET_LIMIT: "100",
  });
  const everywhere = answerEverywhere(many, "2.14.0");
  const idle = many.memory().spawner;
  // One after the other; they also teach how long a droplet takes to boot, as in an application that is in use.
  const ones = [];
  for (let round = 0; round < 3; round += 1) ones.push(await spawnAtOnce(many, `alone${round}`, 1));
  const alone = median(ones.map((one) => one.wall));
  const crowd = await spawnAtOnce(many, "crowd", 50);
  const { refused } = await many.requests();
  ratio("50 spawns at once ÷ one, playbook only waits", crowd.wall / alone, 1.2);
  figures.push({
    figure: "… of their requests answered with 429",
    value: String(refused),
    target: "0",
    met: refused === 0,
  });
  const { machine, spawner, cloud } = crowd.seconds;
  report("… processor seconds, Spawner", spawner.toFixed(0));
  report("… processor seconds, local cloud's droplets", cloud.toFixed(0));
  report("… processor seconds, playbooks and all else", (machine - spawner - cloud).toFixed(0));
  report("… processor seconds this machine had", (cpus().length * (crowd.wall / 1000)).toFixed(0));
  report("memory idle", `${idle} MiB`);
  ratio(`memory while 50 spawns run (${crowd.memory.spawner} MiB) ÷ idle`, crowd.memory.spawner / idle, 1.5);
  report("… of 50 playbooks meanwhile", `${crowd.memory.playbooks} MiB`);
  report("… of the local cloud's 53 droplets", `${crowd.memory.cloud} MiB`);
  say(`  one ${JSON.stringify(ones.map((each) => each.wall))}\n  fifty ${JSON.stringify(crowd)}`);
  everywhere.close();
  await many.stop();
}

async function growth(): Promise<void> {
  say("As it grows …");
  const found = await measureGrowth(say);
  const side = (figure: string, { ratio }: { ratio: number }) =>
    grows(figure, ratio.toFixed(2), "≤ 2", ratio <= 2);
  side("the list at 10,000 instances ÷ at 10", found.lists);
  side("… ÷ at 100, a whole page as well", found.fullLists);
  grows(
    "the list at 10,000, size",
    `${(found.bytes / 1000).toFixed(1)} kB`,
    "≤ 60 kB",
    found.bytes <= 60_000,
  );
  side("an instance's page, 1,000 operations, at 10,000 ÷ 10 at 10", found.details);
  side("the backups at 10,000 (100,000 backups) ÷ at 10 (100)", found.backups);
  grows(
    "the search while it is typed at 10,000, p95",
    `${found.searchP95.toFixed(0)} ms`,
    "< 100 ms",
    found.searchP95 < 100,
  );
  grows(
    "… among the backups",
    `${found.searchBackupsP95.toFixed(0)} ms`,
    "< 100 ms",
    found.searchBackupsP95 < 100,
  );
  grows("maintenance at 10,000, longest block", `${found.block.toFixed(0)} ms`, "≤ 50 ms", found.block <= 50);
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

async function health(): Promise<void> {
  say("Checking the health of 2,000 instances …");
  const { plain, tls } = await measureHealth(2000);
  const row = (figure: string, { share }: HealthShare) =>
    grows(figure, percent(share), "≤ 5 %", share <= 0.05);
  row("CPU of health checks at 2,000 instances, of one core", plain);
  row("… over TLS, a full handshake every five minutes", tls);
}

async function thousandSpawns(): Promise<void> {
  say("A thousand spawns within DigitalOcean's limits …");
  const spawns = 1000;
  const found = await measureThousand(spawns, say);
  const { memory, requests } = found;
  grows(
    "1,000 spawns at once within DigitalOcean's limits, done",
    String(found.done),
    "all",
    found.done === spawns,
  );
  grows("… of their requests answered with 429", String(requests.refused), "0", requests.refused === 0);
  const least = fewest(spawns);
  const side = (figure: string, value: number, limit: number) =>
    grows(figure, value.toFixed(2), `≤ ${limit}`, value <= limit);
  side(`… requests (${requests.total}) ÷ the fewest (${least})`, requests.total / least, 1.3);
  side(
    `… worker's memory (${memory.peak.toFixed(0)} MiB) ÷ idle (${memory.idle.toFixed(0)} MiB)`,
    memory.peak / memory.idle,
    1.5,
  );
  grows("… minutes, by the Spawner's clock", found.minutes.toFixed(1), "reported", null);
}

const parts: Record<string, () => Promise<void>> = {
  spawn: oneSpawn,
  fifty: fiftySpawns,
  growth,
  health,
  thousand: thousandSpawns,
};
const slow: readonly string[] = ["fifty", "thousand"];
const given = process.argv.slice(2).filter((word) => word !== "--quick");
const unknown = given.find((name) => parts[name] === undefined);
if (unknown !== undefined)
  throw new Error(`The benchmark has no part "${unknown}". It has ${Object.keys(parts).join(", ")}.`);
for (const [name, measure] of Object.entries(parts)) {
  const isLeftOut = process.argv.includes("--quick") && slow.includes(name);
  if (given.length === 0 ? !isLeftOut : given.includes(name)) await measure();
}

const every = [...figures, ...grown];
const widths = { figure: Math.max(...every.map((row) => row.figure.length)), value: 10, target: 10 };
const line = (a: string, b: string, c: string, d: string) =>
  `| ${a.padEnd(widths.figure)} | ${b.padStart(widths.value)} | ${c.padStart(widths.target)} | ${d.padEnd(4)} |`;
function printTable(title: string, rows: readonly Figure[]): void {
  console.log();
  console.log(line(title, "value", "target", "met"));
  console.log(line("-".repeat(widths.figure), "-".repeat(widths.value), "-".repeat(widths.target), "----"));
  for (const row of rows)
    console.log(line(row.figure, row.value, row.target, row.met === null ? "" : row.met ? "yes" : "no"));
}
if (figures.length > 0) printTable("figure", figures);
if (grown.length > 0) printTable("as it grows", grown);
mkdirSync(join(import.meta.dirname, "results"), { recursive: true });
const file = join(import.meta.dirname, "results", "bench.json");
writeFileSync(file, JSON.stringify({ cores: cpus().length, node: process.version, figures, grown }, null, 2));
say(`Written to ${file}`);
