import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { isNotNull, isNull, or } from "drizzle-orm";
import { z } from "zod";
import { write } from "#db/client.ts";
import { instances } from "#db/schema.ts";
import { watchHealth } from "#server/instances/health.ts";
import { lastRound } from "#server/instances/healthHistory.ts";
import type { Providers } from "#server/operations/engine/define.ts";
import { createTestEngine, insertInstance, only, realClock } from "#server/operations/testing/testEngine.ts";
import { createProbe } from "#server/providers/probe.ts";
import { nodeArgs, workerHeap } from "#start/services.ts";

/**
 * The CPU that checking many running instances takes, done as the worker does it: the same rounds, interval, probe and
 * SQLite. It starts two processes: one answers for the intranets, and one does the checks and has its CPU time measured.
 */

/** As many as there are from one look at all certificates to the next. */
const rounds = 10;
const measured = z.object({ cpuMs: z.number(), wallMs: z.number(), silent: z.number() });

export type HealthShare = {
  /** Of one core, 0…1. */
  share: number;
  /** CPU time of one check of one instance. */
  msEach: number;
};

/** Over HTTP, and over TLS as on DigitalOcean, in parallel. */
export async function measureHealth(count: number): Promise<{ plain: HealthShare; tls: HealthShare }> {
  const folder = mkdtempSync(join(tmpdir(), "spawner-health-"));
  try {
    const certificate = makeCertificate(folder);
    const [plain, tls] = await Promise.all([measure(count), measure(count, certificate)]);
    return { plain, tls };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Certificate = { key: string; cert: string };

/** One self-signed certificate for all intranets, on the curve that Caddy uses. */
function makeCertificate(folder: string): Certificate {
  const made = { key: join(folder, "key.pem"), cert: join(folder, "cert.pem") };
  const args = [
    ...["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
    ...["-keyout", made.key, "-out", made.cert, "-days", "2", "-subj", "/CN=*.intranet.localhost"],
    ...["-addext", "subjectAltName=DNS:*.intranet.localhost"],
  ];
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  return made;
}

async function measure(count: number, certificate?: Certificate): Promise<HealthShare> {
  const files = certificate === undefined ? [] : [certificate.key, certificate.cert];
  const intranets = start("answer", ...files);
  try {
    const { port } = await messageFrom(intranets, z.object({ port: z.number() }));
    const worker = start("ask", String(count), String(port), ...files);
    try {
      const { cpuMs, wallMs, silent } = await messageFrom(worker, measured);
      if (silent > 0) throw new Error(`${silent} of the instances didn't answer.`);
      return { share: cpuMs / wallMs, msEach: cpuMs / (rounds * count) };
    } finally {
      worker.kill();
    }
  } finally {
    intranets.kill();
  }
}

/** Starts a process that runs this file. If it gets a certificate, it trusts it. */
const start = (...args: string[]) =>
  fork(import.meta.filename, args, {
    execArgv: nodeArgs("bench/health.ts", ...workerHeap).slice(0, -1),
    env: { ...process.env, NODE_EXTRA_CA_CERTS: args.find((one) => one.endsWith("cert.pem")) },
  });

async function messageFrom<Message>(child: ChildProcess, shape: z.ZodType<Message>): Promise<Message> {
  const ended = once(child, "exit").then(() =>
    Promise.reject(new Error("A process of the benchmark ended.")),
  );
  const [message] = await Promise.race([once(child, "message"), ended]);
  return shape.parse(message);
}

/** Answers for all intranets: their names lead to the same process, which gives them all the same answer. */
function answer(key?: string, cert?: string): void {
  const body = JSON.stringify({ status: "ok", version: "2.14.0" });
  const listener: RequestListener = (_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(body);
  };
  const server =
    key === undefined || cert === undefined
      ? createServer(listener)
      : createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, listener);
  server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
}

/** Runs one round to warm up, then measures the next ones. */
async function ask(count: number, port: number, scheme: string): Promise<void> {
  const world = createTestEngine({
    ...realClock,
    providers: only<Providers>("providers", { probe: createProbe() }),
    urlOf: ({ slug, domain }) => `${scheme}://${slug}.${domain}:${port}`,
  });
  const { db, engine } = world;
  write(db, () => {
    for (let index = 0; index < count; index += 1) insertInstance(db, { slug: `slug-${index}` });
  });
  const health = watchHealth(engine);
  const roundAfter = async (before: number | undefined) => {
    for (;;) {
      const round = lastRound(db);
      if (round !== undefined && round.at !== before) return round.at;
      await wait(500);
    }
  };
  let round = await roundAfter(undefined);
  const from = { cpu: process.cpuUsage(), at: round };
  for (let number = 0; number < rounds; number += 1) round = await roundAfter(round);
  const { user, system } = process.cpuUsage(from.cpu);
  const silent = db
    .select({ id: instances.id })
    .from(instances)
    .where(or(isNull(instances.answeredAt), isNotNull(instances.silentSince)))
    .all();
  await health.stop();
  world.close();
  process.send?.({ cpuMs: (user + system) / 1000, wallMs: round - from.at, silent: silent.length });
}

if (process.argv[1] === import.meta.filename) {
  const [what = "2000", ...given] = process.argv.slice(2);
  const [count, port, key] = given;
  if (what === "answer") answer(...given);
  else if (what === "ask") await ask(Number(count), Number(port), key === undefined ? "http" : "https");
  else console.log(JSON.stringify(await measureHealth(Number(what))));
}
