type Write = (line: string) => void;
let write: Write = (line) => void process.stderr.write(line);

/** Where reports go instead of the process' error output: a simulation keeps them to itself. */
export function setReportOutput(other: Write): void {
  write = other;
}

/** Writes what went wrong inside the Spawner to the process' log: one line, and the stack for its developers. */
export function report(what: string, error?: unknown): void {
  const cause =
    error instanceof Error ? (error.stack ?? error.message) : error === undefined ? "" : String(error);
  write(`${new Date().toISOString()} ${what}${cause === "" ? "" : `: ${cause}`}\n`);
}
