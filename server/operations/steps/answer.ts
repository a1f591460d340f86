import {
  done,
  later,
  type Outcome,
  poll,
  type Step,
  type StepContext,
  StepFailure,
  skipped,
} from "#server/operations/engine/define.ts";

const withinMs = 10 * 60_000;
/**
 * A resolver that was asked for the name before its record was there may go on saying that there is none for as long as
 * the zone says: 30 minutes at DigitalOcean. We never ask before the record is made, but others may have.
 */
const nameKnownWithinMs = 35 * 60_000;

type Options<Facts> = {
  label?: string;
  /** Whether there is anything to wait for. */
  when?: (context: StepContext<Facts>) => boolean;
  /** Where it is to answer; the instance's own URL by default. */
  url?: (context: StepContext<Facts>) => string;
  /** The version it is to answer with; the instance's by default. */
  version?: (context: StepContext<Facts>) => string;
  /** What else must be so; a sentence while it is not. */
  also?: (context: StepContext<Facts>) => Promise<string | undefined>;
  /** True when what answers is a throwaway, not the instance. */
  leavesInstance?: boolean;
  learned?: (context: StepContext<Facts>) => Omit<Outcome<Facts>, "done" | "afterMs" | "progress">;
};

/** Asks the instance's own URL until the right version answers there. */
export function appReady<Facts>(name: string, options: Options<Facts> = {}): Step<Facts> {
  return poll<Facts>(
    name,
    options.label ?? "Wait for the intranet to answer",
    {
      everyMs: 1000,
      giveUp: {
        afterMs: nameKnownWithinMs,
        userMessage:
          "The DNS record was created, but this machine's resolver didn't know the name within 35 minutes. Retry checks again.",
      },
    },
    async (context) => {
      if (options.when?.(context) === false) return skipped();
      const { providers, now, elapsed, signal, instance } = context;
      const version = options.version?.(context) ?? instance.version;
      const answer = await providers.probe.answer(options.url?.(context) ?? context.url, { signal });
      // What answers first may be the version from before, on its way out.
      const isOther = answer.ok && answer.version !== version;
      const other = `The intranet answers with version ${answer.version ?? "unknown"}, not with ${version}.`;
      const missing = isOther ? other : answer.ok ? await options.also?.(context) : answer.userMessage;
      if (missing === undefined) {
        const news = options.learned?.(context) ?? {};
        const answered = { answeredAt: now(), answeredInMs: answer.ms, silentSince: null };
        return done(
          options.leavesInstance === true ? news : { ...news, instance: { ...news.instance, ...answered } },
        );
      }
      if (answer.isNameUnknown === true)
        return later({
          afterMs: elapsed() < 10_000 ? 250 : 5000,
          progress: { label: "Its name doesn't resolve yet. DNS can take up to 30 minutes." },
        });
      if (elapsed() > withinMs)
        throw new StepFailure(
          isOther
            ? other
            : "The droplet is ready and has its address, but the intranet didn't answer there within 10 minutes.",
          missing,
        );
      // The first seconds decide how long it feels; after that a second more or less does not.
      return later({ afterMs: elapsed() < 10_000 ? 250 : 2000, progress: { label: missing } });
    },
  );
}
