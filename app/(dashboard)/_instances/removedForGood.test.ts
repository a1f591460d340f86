import { expect, test } from "vitest";
import { removedForGood } from "./removedForGood.ts";

test("Remove for good counts what it removes, and speaks of nothing that isn't there", () => {
  expect(removedForGood(1, 0)).toBe("Its snapshot is removed, and with it all its data.");
  expect(removedForGood(0, 1)).toBe("Its backup is removed, and with it all its data.");
  expect(removedForGood(1, 2)).toBe(
    "Its snapshot and its 2 backups are removed, and with them all its data.",
  );
  expect(removedForGood(3, 0)).toBe("Its 3 snapshots are removed, and with them all its data.");
  expect(removedForGood(0, 0)).toBe("It has no snapshots and no backups.");
});
