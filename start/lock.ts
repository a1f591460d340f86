import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { z } from "zod";
import { hasEnded, type Identity, identify, identitySchema, isAlive } from "./identity.ts";

const ownerSchema = identitySchema.extend({ launcher: identitySchema.optional() });
export type Owner = z.infer<typeof ownerSchema>;

export type Lock = { release(): void };

/**
 * Takes a lock file for this process, or returns its living owner. The lock of a process that has ended is taken over.
 * `launcher` is the process whose end also ends the owner: an owner without it is about to go.
 */
export function takeLock(file: string, launcher?: number): Lock | Owner {
  mkdirSync(dirname(file), { recursive: true });
  const me = identify(process.pid);
  if (me === undefined)
    throw new Error(`This process (${process.pid}) isn't listed by the system. Is /proc mounted?`);
  const launchedBy = launcher === undefined ? undefined : identify(launcher);
  const text = JSON.stringify({ ...me, launcher: launchedBy });
  for (let attempt = 0; attempt < 20; attempt += 1) {
    if (createWith(file, text)) return { release: () => release(file, me) };
    const owner = readOwner(file);
    if (owner !== undefined && isAlive(owner)) return owner;
    moveAway(file);
  }
  throw new Error(
    `${file} can't be locked: several processes keep taking it. Remove it once none of them is running.`,
  );
}

/** Like takeLock, but waits for the owner to end or to release. */
export async function waitForLock(file: string, onWait: (owner: Owner) => void): Promise<Lock> {
  for (let said = false; ; said = true) {
    const taken = takeLock(file);
    if ("release" in taken) return taken;
    if (!said) onWait(taken);
    await hasEnded(taken, 200);
  }
}

/** Whether the owner's launcher was killed outright, so that the owner is on its way out by itself. */
export const isLeaving = (owner: Owner): boolean => owner.launcher !== undefined && !isAlive(owner.launcher);

/** Written aside and linked into place: nobody ever reads half a lock. */
function createWith(file: string, text: string): boolean {
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, text, { mode: 0o600 });
  try {
    linkSync(aside, file);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function readOwner(file: string): Owner | undefined {
  try {
    return ownerSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

/** Renaming first: of two processes that find the same stale lock, only one moves it, and never a fresh one unseen. */
function moveAway(file: string): void {
  const aside = `${file}.stale-${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  const owner = readOwner(aside);
  // Between reading and renaming somebody may have taken it afresh: put it back.
  if (owner !== undefined && isAlive(owner))
    writeFileSync(file, readFileSync(aside), { flag: "wx", mode: 0o600 });
  rmSync(aside, { force: true });
}

function release(file: string, me: Identity): void {
  const owner = readOwner(file);
  if (owner?.pid === me.pid && owner.startTime === me.startTime) rmSync(file, { force: true });
}
