import { mkdtempSync } from "node:fs";
import { startPostgres } from "../start/postgres.ts";
import { killAtEveryBoundary } from "./everyBoundary.ts";
const pg = await startPostgres({ dataDir: mkdtempSync("/tmp/crash-pg-"), log: console.log });
const kinds = (process.argv[2] ?? "spawn").split(",") as never[];
const { catalogue } = await import("../server/operations/catalogue.ts");
const queue = kinds[0] === "all" ? Object.keys(catalogue) as never[] : [...kinds];
await Promise.all(Array.from({ length: 4 }, async () => { for (let k = queue.shift(); k !== undefined; k = queue.shift()) {
  const s = await killAtEveryBoundary(k, { postgresUrl: pg.url, seed: 1, share: Number(process.argv[3] ?? 1), only: process.argv[4] });
  console.log(k, JSON.stringify({ ...s, boundaries: s.boundaries.length }));
}}));
await pg.stop();
