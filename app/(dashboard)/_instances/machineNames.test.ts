import { expect, test } from "vitest";
import { machineName } from "./machineNames.ts";

const offers = {
  sizes: [{ slug: "s-1vcpu-2gb", name: "Small" }],
  regions: [
    { slug: "fra1", name: "Frankfurt 1" },
    { slug: "nyc1", name: "New York 1" },
    { slug: "nyc3", name: "New York 3" },
  ],
};

test("a machine goes by its size and city", () => {
  expect(machineName(offers, "s-1vcpu-2gb", "fra1")).toBe("Small, Frankfurt");
});

test("two data centres in one city keep their numbers", () => {
  expect(machineName(offers, "s-1vcpu-2gb", "nyc3")).toBe("Small, New York 3");
});

test("what is not on offer keeps its slug", () => {
  expect(machineName(offers, "g-8vcpu-32gb", "sgp1")).toBe("g-8vcpu-32gb, sgp1");
  expect(machineName({ sizes: [], regions: [] }, "s-1vcpu-2gb", "fra1")).toBe("s-1vcpu-2gb, fra1");
});
