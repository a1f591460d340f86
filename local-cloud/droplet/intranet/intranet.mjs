// The stand-in intranet: the face of the product, one per customer. Plain Node, nothing to install.
// Reads PORT, HOST, DATA_DIR, COMPANY, ROOT_URL, REDIRECT_FROM, ADMIN_KEY and ENVIRONMENT_FILE (the JSON file whose
// entries are the customer's variables); VERSION lies beside this file.
import { randomUUID, timingSafeEqual } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";

const company = process.env.COMPANY || "Our company";
const dataDir = path.resolve(
  process.env.DATA_DIR ||
    (process.env.DROPLET_ROOT ? path.join(process.env.DROPLET_ROOT, "var", "intranet") : "data"),
);
const postsFile = path.join(dataDir, "posts.json");
const port = Number(process.env.PORT || process.env.DROPLET_WEB_PORT || 8080);
const host = process.env.HOST || process.env.DROPLET_ADDRESS || "127.0.0.1";
const version = (await readFile(new URL("VERSION", import.meta.url), "utf8").catch(() => "0.0.0")).trim();
const variables = await variablesInEffect();
const longestPost = 5000;
/** Addresses from before a move: whoever asks there is sent to ROOT_URL. */
const movedHosts = new Set((process.env.REDIRECT_FROM ?? "").split(",").filter(Boolean));

await mkdir(dataDir, { recursive: true });
await readPosts();

/** Names come from the environment file, values from what this process really has. */
async function variablesInEffect() {
  const file = process.env.ENVIRONMENT_FILE;
  if (!file) return {};
  const names = Object.keys(JSON.parse(await readFile(file, "utf8")));
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? ""]));
}

/** Read anew each time: a restore may have put another file there. */
async function readPosts() {
  let text;
  try {
    text = await readFile(postsFile, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
  const posts = JSON.parse(text);
  if (!Array.isArray(posts)) throw new Error(`${postsFile} doesn't hold a list of posts.`);
  return posts;
}

/** An acknowledged post survives a power cut: written beside, synced, renamed, folder synced. */
async function writePosts(posts) {
  const temporary = `${postsFile}.new`;
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(posts, null, 1)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, postsFile);
  const folder = await open(dataDir, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

let turn = Promise.resolve();
/** One at a time: two posts at once are two posts. */
function addPost(text) {
  const next = turn.then(async () => {
    const posts = await readPosts();
    posts.push({ id: randomUUID(), at: new Date().toISOString(), text });
    await writePosts(posts);
  });
  turn = next.catch(() => {});
  return next;
}

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (sign) => escapes[sign]);

function age(at) {
  const minutes = Math.floor((Date.now() - Date.parse(at)) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ago`;
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" }).format(new Date(at));
}

const weekday = (days) =>
  new Intl.DateTimeFormat("en-GB", {
    weekday: "long",
    day: "numeric",
    month: "long",
    timeZone: "UTC",
  }).format(new Date(Date.now() + days * 86_400_000));

const colleagues = [
  ["Mara Lindqvist", "Front desk", "ML"],
  ["Tomasz Baran", "Operations", "TB"],
  ["Aylin Demir", "People", "AD"],
  ["Jonas Weber", "Workshop", "JW"],
  ["Chiara Rossi", "Sales", "CR"],
  ["Samuel Okafor", "Accounts", "SO"],
];
const articles = [
  ["How we answer customers", "One page on tone, times and who takes over when."],
  ["Holidays and time off", "What to ask for, whom to tell, and by when."],
  ["New here? Your first week", "Keys, accounts, lunch, and the people to meet."],
];
const groups = [
  ["Everybody", 48],
  ["Workshop", 17],
  ["Running on Thursdays", 9],
  ["Books", 6],
];
const chat = [
  ["Aylin", "Coffee machine is back. The good beans too."],
  ["Jonas", "You are my favourite person today."],
  ["Mara", "Two visitors at ten, room 3 is ready."],
];

const style = `
:root{color-scheme:light dark;--paper:oklch(0.994 0.001 240);--sunken:oklch(0.972 0.003 240);--raised:oklch(1 0 0);
--line:oklch(0.918 0.004 240);--field:oklch(0.66 0.012 240);--ink:oklch(0.22 0.014 250);--ink-2:oklch(0.42 0.014 250);
--ink-3:oklch(0.515 0.013 250);--on-ink:oklch(0.99 0 0);--move:oklch(0.56 0.17 253)}
@media(prefers-color-scheme:dark){:root{--paper:oklch(0.178 0.006 250);--sunken:oklch(0.15 0.006 250);--raised:oklch(0.212 0.007 250);
--line:oklch(0.268 0.008 250);--field:oklch(0.53 0.012 250);--ink:oklch(0.955 0.003 250);--ink-2:oklch(0.79 0.008 250);
--ink-3:oklch(0.665 0.01 250);--on-ink:oklch(0.178 0.006 250);--move:oklch(0.67 0.16 250)}}
*{box-sizing:border-box}html{scroll-behavior:smooth}@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/22px "Geist Variable",Geist,system-ui,sans-serif}
header{border-bottom:1px solid var(--line);background:var(--sunken)}
header div,main{max-width:1080px;margin:0 auto;padding:28px 40px}
header div{padding-bottom:0}h1{font-size:26px;line-height:32px;font-weight:600;letter-spacing:-.02em;margin:0 0 16px;overflow-wrap:anywhere}
nav{display:flex;gap:20px;overflow-x:auto}nav a{padding:10px 0;color:var(--ink-2);text-decoration:none;white-space:nowrap}
nav a:first-child{color:var(--ink);font-weight:500;box-shadow:inset 0 -2px var(--ink)}nav a:hover{color:var(--ink)}
main{display:grid;grid-template-columns:minmax(0,1fr) 320px;gap:40px}
h2{font-size:16px;line-height:24px;font-weight:600;margin:0 0 8px}section{margin:0 0 40px}
label{display:block;font-weight:500;margin:0 0 8px}
textarea{display:block;width:100%;min-height:84px;resize:vertical;padding:12px;border:1px solid var(--field);border-radius:6px;background:var(--raised);color:inherit;font:inherit}
button{margin-top:12px;min-height:40px;padding:0 20px;border:0;border-radius:6px;background:var(--ink);color:var(--on-ink);font:inherit;font-weight:500;cursor:pointer}
:focus-visible{outline:2px solid var(--move);outline-offset:2px}
ul,ol{list-style:none;margin:0;padding:0}li{padding:12px 0;border-top:1px solid var(--line)}li:first-child{border-top:0}
.timeline li{padding:16px 0;border-top:1px solid var(--line)}.timeline p{margin:4px 0 0;white-space:pre-wrap;overflow-wrap:anywhere}
.quiet{color:var(--ink-3);font-size:13px;line-height:20px}.row{display:flex;gap:12px;align-items:center}
.face{flex:none;width:36px;height:36px;border-radius:50%;display:grid;place-items:center;background:var(--sunken);border:1px solid var(--line);color:var(--ink-2);font-size:12px;font-weight:600}
footer{max-width:1080px;margin:0 auto;padding:0 40px 40px}
@media(max-width:767px){header div,main,footer{padding-left:16px;padding-right:16px}main{grid-template-columns:minmax(0,1fr);gap:0}textarea{font-size:16px}button{min-height:44px;width:100%}nav a{padding:12px 0}}`;

function pageOf(posts) {
  const timeline = posts
    .toReversed()
    .map(
      (post) =>
        `<li><span class="quiet"><time datetime="${escapeHtml(post.at)}">${escapeHtml(age(post.at))}</time></span><p>${escapeHtml(post.text)}</p></li>`,
    )
    .join("");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(company)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<header><div>
<h1>${escapeHtml(company)}</h1>
<nav aria-label="Sections"><a href="#timeline">Timeline</a><a href="#articles">Articles</a><a href="#colleagues">Colleagues</a><a href="#chat">Chat</a><a href="#groups">Groups</a><a href="#events">Events</a></nav>
</div></header>
<main>
<div>
<section>
<form method="post" action="/posts">
<label for="text">What is new?</label>
<textarea id="text" name="text" required maxlength="${longestPost}"></textarea>
<button type="submit">Post</button>
</form>
</section>
<section id="timeline">
<h2 id="timeline-title">Timeline</h2>
${timeline === "" ? '<p class="quiet">Nothing yet. The first post is yours.</p>' : ""}
<ol class="timeline" role="list" aria-labelledby="timeline-title">${timeline}</ol>
</section>
<section id="articles"><h2>Articles</h2><ul role="list">${articles.map(([title, text]) => `<li>${title}<br><span class="quiet">${text}</span></li>`).join("")}</ul></section>
</div>
<div>
<section id="events"><h2>Events</h2><ul role="list"><li>Breakfast for all<br><span class="quiet">${weekday(2)}, 8:30, kitchen</span></li><li>First aid, a refresher<br><span class="quiet">${weekday(9)}, 14:00, room 3</span></li></ul></section>
<section id="chat"><h2>Chat</h2><ul role="list">${chat.map(([name, text]) => `<li><span class="quiet">${name}</span><br>${text}</li>`).join("")}</ul></section>
<section id="colleagues"><h2>Colleagues</h2><ul role="list">${colleagues.map(([name, place, sign]) => `<li class="row"><span class="face" aria-hidden="true">${sign}</span><span>${name}<br><span class="quiet">${place}</span></span></li>`).join("")}</ul></section>
<section id="groups"><h2>Groups</h2><ul role="list">${groups.map(([name, size]) => `<li>${name}<br><span class="quiet">${size} members</span></li>`).join("")}</ul></section>
</div>
</main>
<footer class="quiet">Intranet ${escapeHtml(version)}</footer>
</body>
</html>`;
}

const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cache-control": "no-store",
};

function send(response, status, type, body, headers = {}) {
  response.writeHead(status, { "content-type": `${type}; charset=utf-8`, ...securityHeaders, ...headers });
  response.end(body);
}
const sendJson = (response, status, value) =>
  send(response, status, "application/json", JSON.stringify(value));

async function readForm(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > 65_536) return undefined;
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString("utf8"));
}

function mayReadVariables(key) {
  const wanted = Buffer.from(process.env.ADMIN_KEY ?? "");
  const given = Buffer.from(typeof key === "string" ? key : "");
  return wanted.length > 0 && wanted.length === given.length && timingSafeEqual(wanted, given);
}

async function answer(request, response) {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const reading = request.method === "GET" || request.method === "HEAD";
  const asked = (request.headers.host ?? "").replace(/:\d+$/, "").toLowerCase();
  if (process.env.ROOT_URL && movedHosts.has(asked)) {
    response.writeHead(308, {
      location: new URL(request.url ?? "/", process.env.ROOT_URL).href,
      ...securityHeaders,
    });
    return response.end();
  }
  if (reading && pathname === "/healthz") return sendJson(response, 200, { status: "ok", version });
  if (reading && pathname === "/variables") {
    if (!mayReadVariables(request.headers["x-admin-key"]))
      return sendJson(response, 403, { error: "forbidden" });
    return sendJson(response, 200, variables);
  }
  if (reading && pathname === "/") return send(response, 200, "text/html", pageOf(await readPosts()));
  if (request.method === "POST" && (pathname === "/posts" || pathname === "/")) {
    const form = await readForm(request);
    if (form === undefined)
      return send(response, 413, "text/plain", "A post can have at most 5,000 characters.");
    const text = (form.get("text") ?? "").replaceAll("\r\n", "\n").trim();
    if (text.length > longestPost) {
      return send(response, 413, "text/plain", "A post can have at most 5,000 characters.");
    }
    if (text !== "") await addPost(text);
    response.writeHead(303, { location: "/", ...securityHeaders });
    return response.end();
  }
  return send(response, 404, "text/plain", "Page not found.");
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) send(response, 500, "text/plain", "Something went wrong. Try again.");
    else response.destroy();
  });
});
server.listen(port, host, () => console.log(`Intranet ${version} of ${company} on ${host}:${port}`));
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
