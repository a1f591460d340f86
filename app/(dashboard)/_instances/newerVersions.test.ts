import { expect, test } from "vitest";
import { newerVersions } from "./newerVersions.ts";

test("an upgrade offers newer versions only, the newest first", () => {
  const offered = ["2.14.0", "2.13.0", "2.12.0"];
  expect(newerVersions(offered, "2.12.0")).toEqual(["2.14.0", "2.13.0"]);
  expect(newerVersions(offered, "2.14.0")).toEqual([]);
  expect(newerVersions(offered, "2.9.1")).toEqual(offered);
});
