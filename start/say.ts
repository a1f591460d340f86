/** One line for the person at the terminal. A terminal that has gone away is no reason to fail. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export const seconds = (sinceMs: number): string => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;

/** A reason for the person at the terminal, shown without a stack. */
export class StartError extends Error {}

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
