const mask = "••••••";

/** Shorter secrets are hidden only where they stand alone: within words they would hide the log. */
const shortestWithin = 4;

/** What colours a terminal. Such a code may stand in the middle of a secret. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what these codes begin with
const terminalCode = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;

/**
 * Replaces every secret in `text` by ••••••: as it is, as JSON, Python, a shell or a URL would write it, in hex, within
 * base64 (as `user:secret` of a Basic header), and with terminal codes between its characters. Lines of a secret of
 * several lines are hidden one by one too, because output is coloured and stored by line.
 *
 * The only way by which text that anybody may read is cleaned. `text` has "\n" as its only line ending.
 */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  if (secrets.length === 0 || text === "") return text;
  const { plain, codes } = withoutCodes(text);
  const found = secrets.flatMap((secret) => occurrences(plain, formsOf(secret)));
  if (found.length === 0) return text;
  let masked = "";
  let at = 0;
  for (const { from, to } of merged(found)) {
    masked += withCodes(plain, codes, at, from) + mask + codesWithin(codes, from, to);
    at = to;
  }
  return masked + withCodes(plain, codes, at, plain.length);
}

type Range = { from: number; to: number };
/** How a secret may be written: as whole pieces of text, and as what base64 makes of it in the middle of something. */
type Forms = { pieces: ReadonlySet<string>; base64: readonly string[] };

function formsOf(secret: string): Forms {
  const normalised = secret.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
  const pieces = new Set<string>();
  if (normalised.trim() === "") return { pieces, base64: [] };
  const lines = normalised.split("\n").filter((line) => line.trim().length >= shortestWithin);
  const parts = new Set([
    ...[secret, normalised, normalised.trim()],
    ...lines.flatMap((line) => [line, line.trim()]),
  ]);
  const base64: string[] = [];
  for (const part of parts) {
    const json = JSON.stringify(part).slice(1, -1);
    const hex = Buffer.from(part, "utf8").toString("hex");
    for (const form of [
      ...[part, json, asciiJson(json)],
      // A message quoted inside another message is escaped twice.
      JSON.stringify(json).slice(1, -1),
      part.replaceAll("\\", "\\\\").replaceAll("'", "\\'"),
      part.replaceAll("'", "'\"'\"'"),
      percentEncoded(part),
      ...(part.length >= shortestWithin ? [hex, hex.toUpperCase()] : []),
    ])
      pieces.add(form);
    if (part.length >= shortestWithin) base64.push(...base64Within(part));
  }
  return { pieces, base64 };
}

/** What base64 always contains of a text, wherever in the encoded bytes the text begins. */
function base64Within(text: string): string[] {
  const bytes = Buffer.from(text, "utf8");
  const cores = [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    // The characters at both ends depend on what stands beside the text.
    const whole = Math.floor(((before + bytes.length) * 8) / 6);
    return encoded.slice(Math.ceil((before * 8) / 6), whole);
  });
  return cores.flatMap((core) => [core, core.replaceAll("+", "-").replaceAll("/", "_")]);
}

function occurrences(text: string, { pieces, base64 }: Forms): Range[] {
  const found: Range[] = [];
  for (const piece of pieces)
    for (const range of placesOf(text, piece))
      if (piece.length >= shortestWithin || standsAlone(text, range)) found.push(range);
  for (const core of base64) for (const range of placesOf(text, core)) found.push(wholeToken(text, range));
  return found;
}

function placesOf(text: string, piece: string): Range[] {
  const found: Range[] = [];
  for (let from = text.indexOf(piece); from !== -1; from = text.indexOf(piece, from + 1))
    found.push({ from, to: from + piece.length });
  return found;
}

const isWordCharacter = (character: string | undefined) =>
  character !== undefined && /[\p{L}\p{N}_]/u.test(character);

const standsAlone = (text: string, { from, to }: Range) =>
  !isWordCharacter(text[from - 1]) && !isWordCharacter(text[to]);

/** All of the base64 around it: beside the secret, it tells the rest. */
function wholeToken(text: string, { from, to }: Range): Range {
  const isBase64 = (character: string | undefined) =>
    character !== undefined && /[A-Za-z0-9+/_=-]/.test(character);
  let first = from;
  let end = to;
  while (isBase64(text[first - 1])) first -= 1;
  while (isBase64(text[end])) end += 1;
  return { from: first, to: end };
}

function merged(ranges: readonly Range[]): Range[] {
  const joined: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from || b.to - a.to)) {
    const last = joined.at(-1);
    if (last !== undefined && range.from < last.to) last.to = Math.max(last.to, range.to);
    else joined.push({ ...range });
  }
  return joined;
}

/** Terminal codes of a text, each with the place it stood at in the text without them. */
type Codes = readonly { at: number; code: string }[];

function withoutCodes(text: string): { plain: string; codes: Codes } {
  const codes: { at: number; code: string }[] = [];
  let taken = 0;
  const plain = text.replaceAll(terminalCode, (code, offset: number) => {
    codes.push({ at: offset - taken, code });
    taken += code.length;
    return "";
  });
  return { plain, codes };
}

const codesWithin = (codes: Codes, from: number, to: number) =>
  codes
    .filter(({ at }) => at > from && at < to)
    .map(({ code }) => code)
    .join("");

function withCodes(plain: string, codes: Codes, from: number, to: number): string {
  let text = "";
  let at = from;
  for (const { at: place, code } of codes) {
    if (place < from || place > to) continue;
    text += plain.slice(at, place) + code;
    at = place;
  }
  return text + plain.slice(at, to);
}

function asciiJson(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function percentEncoded(text: string): string {
  // Half of a surrogate pair has no percent-encoded form.
  return /\p{Surrogate}/u.test(text) ? text : encodeURIComponent(text);
}
