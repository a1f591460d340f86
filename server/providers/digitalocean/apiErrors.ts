import type { ProviderErrorCode } from "#server/providers/errors.ts";

type Refusal = { code?: ProviderErrorCode; userMessage: string };

/** DigitalOcean's refusals, recognized by message because it sends no specific codes, with advice Joe can act on. */
const known: [RegExp, Refusal][] = [
  [
    /pending event|blocking events/i,
    { code: "busy", userMessage: "DigitalOcean is still busy with this droplet." },
  ],
  [
    /exceed your droplet limit/i,
    {
      userMessage:
        "DigitalOcean says the droplet limit of this account is reached. Destroy an instance, or ask DigitalOcean for a higher limit.",
    },
  ],
  [/invalid image/i, { userMessage: "DigitalOcean no longer has the system image. Update the Spawner." }],
  [
    /invalid size|size is not available/i,
    { userMessage: "DigitalOcean doesn't offer this size in this region. Choose another one." },
  ],
  [/region/i, { userMessage: "DigitalOcean doesn't offer this region at the moment. Choose another one." }],
  [
    /invalid key identifiers/i,
    {
      code: "unknown-ssh-key",
      userMessage: "DigitalOcean no longer has the Spawner's SSH key. Retry to register it again.",
    },
  ],
  [/valid hostname/i, { userMessage: "DigitalOcean doesn't accept this name. Choose another slug." }],
];

/** What an answer other than 2xx means. */
export function refusalFor(status: number, message = ""): Refusal {
  if (status === 401)
    return {
      userMessage:
        "DigitalOcean doesn't accept the token. Set DIGITALOCEAN_TOKEN to a valid one and restart the Spawner.",
    };
  if (status === 403)
    return {
      userMessage:
        "The DigitalOcean token doesn't have permission to do this. Give it read and write access.",
    };
  if (status === 404) return { code: "not-found", userMessage: "It no longer exists at DigitalOcean." };
  if (status === 429) return { userMessage: "DigitalOcean is limiting requests." };
  if (status >= 500) return { userMessage: "DigitalOcean is having problems at the moment." };
  const found = known.find(([pattern]) => pattern.test(message));
  return found?.[1] ?? { userMessage: `DigitalOcean refused: ${message.replace(/\.?$/, ".")}` };
}
