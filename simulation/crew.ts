import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type Batch, batchSchema } from "./batch.ts";

/** Node runs the project's TypeScript by tsx, found from `folder`. */
export const childOptions = (folder: string) => ({ execArgv: ["--import", "tsx"], cwd: folder });

/** Seeds that one process takes at a time. */
const portion = 50;

/**
 * Lives the lives of these seeds in as many processes as the machine has cores. `onProgress` is told after each portion.
 */
export async function liveInParallel(
  seeds: readonly string[],
  onProgress: (batch: Batch) => void,
): Promise<Batch[]> {
  const left = [...seeds];
  const batches: Batch[] = [];
  const crew = Array.from(
    { length: Math.min(availableParallelism(), Math.ceil(left.length / portion)) },
    () =>
      work(left, (batch) => {
        batches.push(batch);
        onProgress(batch);
      }),
  );
  await Promise.all(crew);
  return batches;
}

function work(left: string[], onBatch: (batch: Batch) => void): Promise<void> {
  const child = fork(
    join(import.meta.dirname, "crewMember.ts"),
    childOptions(join(import.meta.dirname, "..")),
  );
  return new Promise((resolve, reject) => {
    const next = () => {
      const seeds = left.splice(0, portion);
      if (seeds.length > 0) child.send({ seeds });
      else {
        child.disconnect();
        resolve();
      }
    };
    child.on("message", (message) => {
      onBatch(batchSchema.parse(message));
      next();
    });
    child.once("error", reject);
    child.once("exit", (code) => {
      if (code !== 0) reject(new Error(`A process of the simulation ended with ${code}.`));
    });
    next();
  });
}
