import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "#start/postgres.ts";
import { processesWith, signal } from "./processes.ts";

/** Lends `work` an empty PostgreSQL of its own. */
export async function withPostgres<Result>(work: (url: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "spawner-crash-postgres-"));
  // Its account has to reach the cluster in it.
  chmodSync(folder, 0o755);
  const endAtOnce = () => {
    for (const pid of processesWith("postgres", `-D ${folder}`)) signal(pid, "SIGQUIT");
  };
  process.once("exit", endAtOnce);
  const postgres = await startPostgres({ dataDir: folder, log: () => {} });
  try {
    return await work(postgres.url);
  } finally {
    await postgres.stop();
    process.off("exit", endAtOnce);
    rmSync(folder, { recursive: true, force: true });
  }
}
