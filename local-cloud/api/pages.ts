import { html, raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

const style = `
:root{color-scheme:light dark;--paper:oklch(0.994 0.001 240);--sunken:oklch(0.972 0.003 240);--line:oklch(0.918 0.004 240);
--ink:oklch(0.22 0.014 250);--ink-2:oklch(0.42 0.014 250);--ink-3:oklch(0.515 0.013 250);--ok:oklch(0.46 0.105 155);--move:oklch(0.48 0.16 256)}
@media(prefers-color-scheme:dark){:root{--paper:oklch(0.178 0.006 250);--sunken:oklch(0.15 0.006 250);--line:oklch(0.268 0.008 250);
--ink:oklch(0.955 0.003 250);--ink-2:oklch(0.79 0.008 250);--ink-3:oklch(0.665 0.01 250);--ok:oklch(0.8 0.13 157);--move:oklch(0.78 0.115 248)}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:14px/20px "Geist Variable",Geist,system-ui,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:960px;margin:0 auto;padding:40px}
main.alone{max-width:560px;min-height:100vh;display:flex;flex-direction:column;justify-content:center}
h1{font-size:26px;line-height:32px;font-weight:600;letter-spacing:-.02em;margin:0 0 8px}
h2{font-size:16px;line-height:24px;font-weight:600;margin:40px 0 8px}
p{margin:0 0 12px;color:var(--ink-2)}.lead{font-size:16px;line-height:24px}
code{font:13px/20px "Geist Mono Variable","Geist Mono",ui-monospace,monospace;overflow-wrap:anywhere}
a{color:inherit;text-underline-offset:3px}a:focus-visible{outline:2px solid var(--move);outline-offset:2px}
.table{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:10px 16px 10px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:400;color:var(--ink-3);font-size:13px}.ok{color:var(--ok)}.quiet{color:var(--ink-3)}
@media(max-width:767px){main{padding:28px 16px}}`;

/** A whole page in ink on paper, light and dark, without a script. */
export function pageHtml(page: {
  title: string;
  body: Html;
  alone?: boolean;
  refreshSeconds?: number;
}): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
${page.refreshSeconds === undefined ? "" : raw(`<meta http-equiv="refresh" content="${page.refreshSeconds}">`)}
<title>${page.title}</title>
<style>${raw(style)}</style>
</head>
<body><main class="${page.alone ? "alone" : ""}">${page.body}</main></body>
</html>`;
}
