/** DigitalOcean's refusals in words that Joe can act on, by what its message says. */
const known: [RegExp, string][] = [
  [
    /exceed your droplet limit/i,
    "DigitalOcean says the droplet limit of this account is reached. Destroy an instance, or ask DigitalOcean for a higher limit.",
  ],
  [/invalid image/i, "DigitalOcean no longer has the system image. Update the Spawner."],
  [
    /invalid size|size is not available/i,
    "DigitalOcean doesn't offer this size in this region. Choose another one.",
  ],
  [/region/i, "DigitalOcean doesn't offer this region at the moment. Choose another one."],
  [/invalid key identifiers/i, "DigitalOcean no longer has the Spawner's SSH key. Try again to register it."],
  [/valid hostname/i, "DigitalOcean doesn't accept this name. Choose another slug."],
];

export const pendingEvent = /pending event|blocking events/i;

/** The sentence for an answer that is not a 2xx. */
export function sentenceFor(status: number, message: string): string {
  if (status === 401)
    return "DigitalOcean doesn't accept the token. Set DIGITALOCEAN_TOKEN to a valid one and start again.";
  if (status === 403)
    return "The DigitalOcean token doesn't have permission to do this. Give it read and write access.";
  if (status === 429) return "DigitalOcean is limiting requests.";
  if (status >= 500) return "DigitalOcean has a problem at the moment.";
  if (pendingEvent.test(message)) return "DigitalOcean is still busy with this droplet.";
  for (const [pattern, userMessage] of known) if (pattern.test(message)) return userMessage;
  return `DigitalOcean refused: ${message.replace(/\.?$/, ".")}`;
}
