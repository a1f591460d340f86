/** Writes what went wrong inside the Spawner to the process' log: one line, and the stack for its developers. */
export function report(what: string, error?: unknown): void {
  const cause =
    error instanceof Error ? (error.stack ?? error.message) : error === undefined ? "" : String(error);
  process.stderr.write(`${new Date().toISOString()} ${what}${cause === "" ? "" : `: ${cause}`}\n`);
}
