/** A command that is not carried out: why, in a sentence, and beside which fields to say so. Knows nothing of HTTP. */
export class Refusal extends Error {
  readonly kind: "invalid" | "conflict" | "not-found" | "not-now";
  readonly fields: Record<string, string>;
  constructor(kind: Refusal["kind"], sentence: string, fields: Record<string, string> = {}) {
    super(sentence);
    this.name = "Refusal";
    this.kind = kind;
    this.fields = fields;
  }
}
