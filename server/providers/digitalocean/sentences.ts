/** DigitalOcean's refusals in words that Joe can act on, by what its message says. */
const known: [RegExp, string][] = [
  [
    /exceed your droplet limit/i,
    "DigitalOcean says the droplet limit of this account is reached. Destroy an instance, or ask DigitalOcean for a higher limit.",
  ],
  [/invalid image/i, "DigitalOcean does not know the system image any more. Update the Spawner."],
  [
    /invalid size|size is not available/i,
    "DigitalOcean does not offer this size in this region. Choose another one.",
  ],
  [/region/i, "DigitalOcean does not offer this region at the moment. Choose another one."],
  [
    /invalid key identifiers/i,
    "DigitalOcean does not know the Spawner's SSH key any more. Try again: it is registered anew.",
  ],
  [/valid hostname/i, "DigitalOcean does not accept this name. Choose another slug."],
];

export const pendingEvent = /pending event|blocking events/i;

/** The sentence for an answer that is not a 2xx. */
export function sentenceFor(status: number, message: string): string {
  if (status === 401)
    return "DigitalOcean does not accept the token. Put a valid one into DIGITALOCEAN_TOKEN and start again.";
  if (status === 403) return "The DigitalOcean token may not do this. Give it read and write access.";
  if (status === 429) return "DigitalOcean asks for patience: too many requests.";
  if (status >= 500) return "DigitalOcean has a problem of its own at the moment.";
  if (pendingEvent.test(message)) return "DigitalOcean is still busy with this droplet.";
  for (const [pattern, sentence] of known) if (pattern.test(message)) return sentence;
  return `DigitalOcean refused: ${message.replace(/\.?$/, ".")}`;
}
