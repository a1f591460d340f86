import { html, raw } from "hono/html";
import { segments, timeLeft } from "#app/progress/segments.ts";
import type { Arrival } from "#server/api/arrival.ts";
import { type Dot, type Drawing, planOf, tall, wide } from "./geometry.ts";

/** Steps in words for visitors; what they need not know has none. */
const words: Readonly<Record<string, string>> = {
  "create-droplet": "Creating the server",
  "droplet-ready": "Starting the server",
  provision: "Installing the intranet",
  "create-dns": "Connecting the address",
  "app-ready": "Final checks",
  send: "Copying the data",
  "put-back": "Restoring the data",
  reconfigure: "Applying the settings",
  "new-dns": "Connecting the new address",
  "new-ready": "Final checks",
  dump: "Backing up",
  install: "Installing the new version",
  "switch-off": "Stopping",
  resize: "Resizing the server",
  "switch-on": "Starting",
  reboot: "Restarting",
};

function estimate({ operation: { state, steps } }: Arrival, now: number): string {
  if (state === "failed") return "This is taking longer than usual. We've been notified.";
  const left = timeLeft(steps, now);
  if (left === undefined) return "This takes a few minutes.";
  const seconds = Math.ceil(left / 5000) * 5;
  if (seconds <= 5) return "Any moment now.";
  return seconds < 60 ? `About ${seconds} seconds left.` : `About ${Math.ceil(seconds / 60)} minutes left.`;
}

const style = `
:root{color-scheme:light dark;--paper:oklch(0.994 0.001 240);--ink:oklch(0.22 0.014 250);--ink-2:oklch(0.42 0.014 250);--ink-3:oklch(0.515 0.013 250);--line:oklch(0.86 0.006 240);--move:oklch(0.56 0.17 253);--move-ink:oklch(0.48 0.16 256);--halo:oklch(0.56 0.17 253/.18)}
@media(prefers-color-scheme:dark){:root{--paper:oklch(0.178 0.006 250);--ink:oklch(0.955 0.003 250);--ink-2:oklch(0.79 0.008 250);--ink-3:oklch(0.665 0.01 250);--line:oklch(0.345 0.01 250);--move:oklch(0.67 0.16 250);--move-ink:oklch(0.78 0.115 248);--halo:oklch(0.67 0.16 250/.26)}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/24px Geist,system-ui,sans-serif;font-variant-numeric:tabular-nums}
main{min-height:100dvh;padding:40px 16px;display:flex;flex-direction:column;justify-content:center;align-items:center;text-align:center}
h1{font-size:clamp(28px,4vw,40px);line-height:1.2;font-weight:600;letter-spacing:-.02em;margin:0 0 12px;max-width:24em;overflow-wrap:anywhere;text-wrap:balance}
p{margin:0;color:var(--ink-2);font-size:18px;text-wrap:balance}
.steps{position:relative;margin:56px auto 0;max-width:100%}
.steps svg{position:absolute;inset:0;overflow:visible}
path{fill:none;stroke:var(--line);stroke-width:2}path.past{stroke:var(--ink)}path.now{stroke:var(--move)}
ol{position:absolute;inset:0;list-style:none;margin:0;padding:0;font-size:14px;line-height:18px;color:var(--ink-3)}
li{position:absolute;width:0;height:0}
i{position:absolute;left:-9px;top:-9px;width:18px;height:18px;border-radius:50%;border:2px solid var(--line);background:var(--paper)}
.past i{border-color:var(--ink);background:var(--ink)}
.past i::after{content:"";position:absolute;left:4px;top:2px;width:4px;height:7px;border:solid var(--paper);border-width:0 2px 2px 0;rotate:40deg}
.now i{border-color:var(--move);background:var(--move);box-shadow:0 0 0 7px var(--halo)}
li b{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}li span{position:absolute;width:140px}.past{color:var(--ink-2)}.now{color:var(--move-ink);font-weight:500}
.below span{left:-70px;top:20px}.above span{left:-70px;bottom:20px}.right span{left:22px;top:-9px;width:150px;text-align:left}
.tall .below span{width:136px;left:-68px;top:22px}
.tall{display:none}.tall ol{font-size:15px}`;

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

/** How a screen reader tells what the eye sees. */
const spoken = { past: "done", now: "now", ahead: "not started" };

const dot = ({ label, tone, x, y, side }: Dot) =>
  html`<li class="${tone} ${side}" style="left:${x}px;top:${y}px"><i></i><span>${label}<b>, ${spoken[tone]}</b></span></li>`;

const drawing = (name: string, { dots, paths, width, height }: Drawing) =>
  html`<div class="steps ${name}" style="width:${width}px;height:${height}px">
<svg width="${width}" height="${height}" aria-hidden="true">${paths.map(({ d, tone }) => html`<path class="${tone}" d="${d}"/>`)}</svg>
<ol aria-label="Steps">${dots.map(dot)}</ol>
</div>`;

/**
 * The page a visitor sees at an intranet's address while it is not there: what is done with it, how far that is, and
 * when it may be over. No sign-in, and nothing that is not for everybody; it needs nothing from anywhere else.
 */
export async function drawArrival(arrival: Arrival, now: number): Promise<string> {
  const title = `${arrival.company}'s intranet ${arrival.doing}`;
  const steps = arrival.operation.steps.filter((step) => !step.undo);
  const plan = planOf(segments(steps), words);
  const broad = wide(plan);
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
<style>@media(max-width:${broad.width + 32}px){.wide{display:none}.tall{display:block}}</style>
<h1>${title}</h1>
<p role="status">${estimate(arrival, now)} It opens here as soon as it's ready.</p>
${drawing("wide", broad)}${drawing("tall", tall(plan))}
</main>
<script>${raw(script)}</script>
</body>
</html>`;
  return String(await page);
}
