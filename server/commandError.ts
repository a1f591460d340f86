/** A command that is not carried out: why, in a sentence, and beside which fields to say so. Knows nothing of HTTP. */
export class CommandError extends Error {
  readonly kind: "invalid" | "conflict" | "not-found" | "not-now";
  readonly fields: Record<string, string>;
  constructor(kind: CommandError["kind"], userMessage: string, fields: Record<string, string> = {}) {
    super(userMessage);
    this.name = "CommandError";
    this.kind = kind;
    this.fields = fields;
  }
}
