/**
 * Codes for what the program decides by, beyond whether to retry. It never decides by a sentence.
 *
 * - `not-found`: the requested object doesn't exist.
 * - `busy`: another action of this droplet is still in progress.
 * - `unknown-ssh-key`: DigitalOcean no longer has the SSH key for the new droplet.
 */
export type ProviderErrorCode = "not-found" | "busy" | "unknown-ssh-key";

/** What a {@link ProviderError} is made of. */
export type ProviderErrorInit = {
  userMessage: string;
  detail: string;
  retryable: boolean;
  retryAfterMs?: number | undefined;
  unclear?: boolean;
  code?: ProviderErrorCode | undefined;
  cause?: unknown;
};

/**
 * The one error every provider throws. `userMessage` is written for the person in front of the
 * dashboard: it names the thing, the cause and the way out. `detail` is for the log.
 * Whoever throws it masks secrets first: neither text may contain one, and `cause` must not either.
 */
export class ProviderError extends Error {
  readonly userMessage: string;
  /** Worth another attempt without anybody's help. */
  readonly retryable: boolean;
  /** Milliseconds the other side asked to wait for, if it did. */
  readonly retryAfterMs: number | undefined;
  readonly detail: string;
  /** The effect may have happened all the same: look before doing it again. */
  readonly unclear: boolean;
  readonly code: ProviderErrorCode | undefined;

  constructor(init: ProviderErrorInit) {
    super(init.userMessage, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = "ProviderError";
    this.userMessage = init.userMessage;
    this.retryable = init.retryable;
    this.retryAfterMs = init.retryAfterMs;
    this.detail = init.detail;
    this.unclear = init.unclear ?? false;
    this.code = init.code;
  }
}

/** True for what a provider threw on purpose; everything else is a defect of this program. */
export function isProviderError(error: unknown): error is ProviderError {
  return error instanceof ProviderError;
}
