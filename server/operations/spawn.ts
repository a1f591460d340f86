import { z } from "zod";
import { defineOperation, done, later, poll, StepFailure, step, together } from "./definition.ts";
import {
  createDns,
  type DropletFacts,
  destroyDroplet,
  dropletReady,
  removeDns,
  requestDroplet,
} from "./droplet.ts";
import { provision } from "./provision.ts";

type Facts = DropletFacts & { provisionCursor: number; provisionLost: number };

const facts = z
  .object({
    createAskedAt: z.number(),
    dropletId: z.number(),
    address: z.string(),
    provisionCursor: z.number(),
    provisionLost: z.number(),
  })
  .partial();

const minute = 60_000;

/** From one click to a running intranet. */
export const spawn = defineOperation<Facts>({
  kind: "spawn",
  label: "Spawn",
  facts,
  status: { during: "spawning", done: "running", cancelled: "destroyed" },
  cancellable: true,
  steps: [
    step("create-droplet", "Request a droplet", requestDroplet),
    poll(
      "droplet-ready",
      "Wait for the droplet",
      {
        everyMs: 1000,
        giveUp: {
          afterMs: 10 * minute,
          sentence: "The droplet was requested, but did not become ready within 10 minutes.",
        },
      },
      dropletReady,
    ),
    together<Facts>(
      [
        poll(
          "provision",
          "Provision with Ansible",
          {
            everyMs: 300,
            giveUp: { afterMs: 45 * minute, sentence: "Ansible did not come to an end within 45 minutes." },
            takesPlace: true,
            stop: provision.stop,
          },
          provision.run,
        ),
      ],
      [step("create-dns", "Create the DNS record", createDns)],
    ),
    poll(
      "app-ready",
      "Wait for the intranet to answer",
      {
        everyMs: 1000,
        giveUp: {
          afterMs: 10 * minute,
          sentence:
            "The droplet is ready and has its address, but the intranet did not answer there within 10 minutes.",
        },
      },
      async ({ providers, url, now, startedAt, signal, instance }) => {
        const answer = await providers.probe.answer(url, { signal });
        if (answer.ok && answer.version !== instance.version)
          throw new StepFailure(
            `The intranet answers with version ${answer.version ?? "unknown"}, not with ${instance.version}.`,
            answer.sentence,
          );
        if (answer.ok)
          return done({ instance: { answeredAt: now(), answeredInMs: answer.ms, silentSince: null } });
        // The first seconds decide how long a spawn feels; after that a second more or less does not.
        return later({
          afterMs: now() - startedAt < 10_000 ? 250 : 2000,
          progress: { label: answer.sentence },
        });
      },
    ),
    step("email", "Email Joe", async ({ providers, operation }) => {
      await providers.sendMail(operation.id, "ready");
      return done();
    }),
  ],
  undo: [
    step("undo-dns", "Remove the DNS record", removeDns),
    step("undo-droplet", "Destroy the droplet", destroyDroplet),
  ],
});
