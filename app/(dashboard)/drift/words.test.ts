import { expect, test } from "vitest";
import type { DriftView } from "#server/api/views.ts";
import { sentenceFor } from "./words.tsx";

const gone = (canBeBroughtBack: boolean): DriftView => ({
  ...{ key: "missing-droplet 7", finding: { type: "missing-droplet", dropletId: 7 } },
  instance: { id: "i1", slug: "acme", company: "Acme", status: "running", canBeBroughtBack },
  ...{ monthlyCents: 0, foundAt: 0, actions: [], refusal: null, operation: null },
});

test("of a droplet that is gone, Bring back is promised only where something is left to start from", () => {
  expect(sentenceFor(gone(true), 0)).toBe(
    "Droplet 7 was deleted at DigitalOcean. Destroy Acme, then bring it back.",
  );
  expect(sentenceFor(gone(false), 0)).toBe(
    "Droplet 7 was deleted at DigitalOcean. Destroy Acme: it has no snapshot and no good backup to bring it back from.",
  );
});
