import { CommandError } from "#server/commandError.ts";

/** Throws a CommandError unless the slug was typed to confirm. */
export function expectTypedSlug(confirm: string, slug: string): void {
  if (confirm === slug) return;
  const userMessage = `Type ${slug} to confirm.`;
  throw new CommandError("invalid", userMessage, { confirm: userMessage });
}
