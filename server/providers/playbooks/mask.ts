const MASK = "••••••";

/** Shorter pieces of a longer secret are words of the language: masking them would hide the log. */
const SHORTEST_FRAGMENT = 4;

/**
 * Replaces every secret in `text` by ••••••: as it is, and as JSON, Python or a shell would write it.
 * Lines of a secret of several lines are masked one by one too, because output is coloured and stored
 * by line. `text` has "\n" as its only line ending.
 */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  let masked = text;
  for (const form of writtenForms(secrets)) masked = masked.replaceAll(form, MASK);
  return masked;
}

/** Longest first, so that a secret within another one does not leave the rest of it readable. */
function writtenForms(secrets: readonly string[]): string[] {
  const forms = new Set<string>();
  for (const secret of secrets) {
    const normalised = secret.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
    if (normalised.trim() === "") continue;
    const fragments = normalised.split("\n").filter((line) => line.trim().length >= SHORTEST_FRAGMENT);
    for (const piece of [
      secret,
      normalised,
      normalised.trim(),
      ...fragments,
      ...fragments.map((f) => f.trim()),
    ]) {
      forms.add(piece);
      const json = JSON.stringify(piece).slice(1, -1);
      forms.add(json);
      forms.add(asciiJson(json));
      // A message quoted inside another message is escaped twice.
      forms.add(JSON.stringify(json).slice(1, -1));
      forms.add(piece.replaceAll("\\", "\\\\").replaceAll("'", "\\'"));
      forms.add(piece.replaceAll("'", "'\"'\"'"));
      forms.add(percentEncoded(piece));
      if (piece.length >= SHORTEST_FRAGMENT) forms.add(Buffer.from(piece, "utf8").toString("base64"));
    }
  }
  return [...forms].sort((a, b) => b.length - a.length);
}

function asciiJson(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function percentEncoded(text: string): string {
  // Half of a surrogate pair has no percent-encoded form.
  return /\p{Surrogate}/u.test(text) ? text : encodeURIComponent(text);
}
