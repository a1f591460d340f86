import { and, eq } from "drizzle-orm";
import { html, raw } from "hono/html";
import type { Tx } from "../db/client.ts";
import { aliases, instances, type OperationKind, type StepState } from "../db/schema.ts";
import { newestOperation } from "./instances/begin.ts";
import { operationViews } from "./operations/queries.ts";
import type { OperationView, StepView } from "./views.ts";

/** What is said of an intranet while this is done with it; what is not here says nothing to visitors. */
const doing: Partial<Record<OperationKind, string>> = {
  spawn: "is being prepared",
  "restore-as-new": "is being prepared",
  "bring-back": "is being brought back",
  restore: "is being restored",
  "change-address": "is being moved",
  "edit-variables": "is being updated",
  restart: "is being restarted",
  "power-on": "is being started",
  resize: "is being moved to another machine size",
  upgrade: "is being updated",
};

/** Steps in words for visitors; what they need not know has none. */
const words: Record<string, string> = {
  "create-droplet": "A machine of its own",
  "droplet-ready": "Started",
  provision: "Installing the intranet",
  "create-dns": "Connecting the address",
  "app-ready": "Last checks",
  send: "Bringing the data",
  "put-back": "Putting the data in place",
  reconfigure: "Setting up",
  "new-dns": "Connecting the new address",
  "new-ready": "Last checks",
  dump: "Keeping what is there",
  install: "Installing the new version",
  "switch-off": "Stopping",
  resize: "Changing the machine",
  "switch-on": "Starting",
  reboot: "Restarting",
};

const marks: Record<StepState, string> = {
  waiting: "○",
  running: "●",
  done: "✓",
  failed: "●",
  skipped: "✓",
  cancelled: "○",
};

/**
 * The page a visitor sees at an intranet's address while it is not there: what is done with it, how far that is, and
 * when it may be over. No sign-in, and nothing that is not for everybody. Undefined when no instance under way has
 * this host.
 */
export function arrivalPage(tx: Tx, host: string, now: number): Promise<string> | undefined {
  const found = findByHost(tx, host);
  if (found === undefined) return undefined;
  const newest = newestOperation(tx, found.id);
  const operation = newest === undefined ? undefined : operationViews(tx, [newest])[0];
  const verb = operation === undefined ? undefined : doing[operation.kind];
  if (operation === undefined || verb === undefined) return undefined;
  if (operation.state !== "running" && operation.state !== "failed") return undefined;
  return draw(found.company, verb, operation, now);
}

function findByHost(tx: Tx, host: string): { id: string; company: string } | undefined {
  const dot = host.indexOf(".");
  const [slug, domain] = [host.slice(0, dot), host.slice(dot + 1)];
  const shown = { id: instances.id, company: instances.company };
  const own = tx
    .select({ ...shown, destroyedAt: instances.destroyedAt })
    .from(instances)
    .where(and(eq(instances.slug, slug), eq(instances.domain, domain)))
    .all()
    .find((row) => row.destroyedAt === null);
  return (
    own ??
    tx
      .select(shown)
      .from(aliases)
      .innerJoin(instances, eq(instances.id, aliases.instanceId))
      .where(and(eq(aliases.slug, slug), eq(aliases.domain, domain)))
      .get()
  );
}

function estimate({ state, steps }: OperationView, now: number): string {
  if (state === "failed") return "This takes longer than it should. Somebody has been told.";
  const open = steps.filter((step) => !step.undo && (step.state === "waiting" || step.state === "running"));
  if (open.some((step) => step.usualMs === null)) return "This takes a few minutes.";
  const left = open
    .filter((step) => step.branch === null || step.branch === 0)
    .reduce(
      (sum, step) =>
        sum + Math.max(0, (step.usualMs ?? 0) - (step.startedAt === null ? 0 : now - step.startedAt)),
      0,
    );
  const seconds = Math.ceil(left / 5000) * 5;
  if (seconds <= 5) return "Any moment now.";
  return seconds < 60 ? `About ${seconds} seconds left.` : `About ${Math.ceil(seconds / 60)} minutes left.`;
}

const style = `
:root{color-scheme:light dark;--paper:oklch(0.994 0.001 240);--ink:oklch(0.22 0.014 250);--ink-2:oklch(0.42 0.014 250);--ink-3:oklch(0.515 0.013 250);--line:oklch(0.86 0.006 240);--move:oklch(0.48 0.16 256)}
@media(prefers-color-scheme:dark){:root{--paper:oklch(0.178 0.006 250);--ink:oklch(0.955 0.003 250);--ink-2:oklch(0.79 0.008 250);--ink-3:oklch(0.665 0.01 250);--line:oklch(0.345 0.01 250);--move:oklch(0.78 0.115 248)}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/24px "Geist Variable",Geist,system-ui,sans-serif;font-variant-numeric:tabular-nums}
main{min-height:100vh;max-width:960px;margin:0 auto;padding:40px 16px;display:flex;flex-direction:column;justify-content:center;align-items:center;text-align:center}
h1{font-size:clamp(28px,5vw,42px);line-height:1.15;font-weight:600;letter-spacing:-.02em;margin:0 0 12px;overflow-wrap:anywhere}
p{margin:0;color:var(--ink-2);font-size:18px}
ol{list-style:none;display:flex;justify-content:center;margin:56px 0 0;padding:0;width:100%}
li{position:relative;flex:1 1 0;max-width:170px;padding:40px 6px 0;font-size:14px;line-height:20px;color:var(--ink-3)}
li::before{content:"";position:absolute;top:13px;left:-50%;right:50%;height:2px;background:var(--line)}li:first-child::before{display:none}
li span{position:absolute;top:2px;left:50%;width:24px;height:24px;margin-left:-12px;border-radius:50%;background:var(--paper);border:2px solid var(--line);color:var(--line);font-size:0}
li.done,li.running{color:var(--ink-2)}li.done::before,li.running::before{background:var(--ink)}
li.done span{background:var(--ink);border-color:var(--ink);color:var(--paper);font-size:13px;line-height:20px}
li.running{color:var(--move);font-weight:500}li.running span{border-color:var(--move);border-width:7px}
@media(max-width:640px){main{align-items:flex-start;text-align:left}ol{flex-direction:column;gap:0;margin-top:40px}li{max-width:none;flex:none;padding:2px 0 22px 40px;font-size:16px;line-height:24px}
li span{left:0;margin:0}li::before{left:11px;right:auto;width:2px;top:-24px;height:26px}}`;

/** Asks for itself again each second, shows what has changed, and gives way to the intranet once that answers. */
const script = `
setInterval(async () => {
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
    if (!answer.headers.has("x-arrival")) return location.reload();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [next, here] = [page.querySelector("main"), document.querySelector("main")];
    if (next && here && next.innerHTML !== here.innerHTML) here.innerHTML = next.innerHTML;
  } catch {}
}, 1000);`;

async function draw(company: string, verb: string, operation: OperationView, now: number): Promise<string> {
  const title = `${company}'s intranet ${verb}`;
  const steps = operation.steps.filter((step) => !step.undo && words[step.name] !== undefined);
  const line = (step: StepView) => {
    const look = step.state === "skipped" ? "done" : step.state === "failed" ? "running" : step.state;
    return html`<li class="${look}"><span aria-hidden="true">${marks[step.state]}</span>${words[step.name]}</li>`;
  };
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<noscript><meta http-equiv="refresh" content="3"></noscript>
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${raw(style)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p role="status">${estimate(operation, now)} This page opens it by itself.</p>
<ol aria-label="Steps">${steps.map(line)}</ol>
</main>
<script>${raw(script)}</script>
</body>
</html>`;
  return String(await page);
}
