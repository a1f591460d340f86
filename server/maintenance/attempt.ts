import { CommandError } from "#server/commandError.ts";

/** Begins something by itself; a refusal (it is busy, it is off) is no fault, and asked again later. */
export function attempt(begin: () => void): boolean {
  try {
    begin();
    return true;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
