import { z } from "zod";
import type { OperationKind } from "#db/schema.ts";

/**
 * What differs between DigitalOcean and our rows. "orphaned": ours, and no row knows it. "missing": a row knows it, and
 * it is gone. "changed": both know it, and say different things. Prices in cents a month, times in Unix ms.
 */
export const finding = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("orphaned-droplet"),
    dropletId: z.number(),
    name: z.string(),
    createdAt: z.number(),
    /** The tag that shows that we bought it: nothing without it is deleted. */
    ownTag: z.string(),
    /** It holds the instance's own data, and the instance has no other droplet. */
    isAdoptable: z.boolean(),
  }),
  z.object({ type: z.literal("missing-droplet"), dropletId: z.number() }),
  z.object({
    type: z.literal("changed-address"),
    dropletId: z.number(),
    recorded: z.string().nullable(),
    actual: z.string(),
  }),
  z.object({
    type: z.literal("changed-size"),
    dropletId: z.number(),
    recorded: z.string(),
    actual: z.string(),
    recordedPrice: z.number(),
    actualPrice: z.number(),
  }),
  z.object({ type: z.literal("changed-tags"), dropletId: z.number(), missing: z.array(z.string()) }),
  z.object({
    type: z.literal("orphaned-snapshot"),
    snapshotId: z.number(),
    name: z.string(),
    sizeGb: z.number(),
    createdAt: z.number(),
    /** The destroy that took it. */
    operationId: z.string(),
    /** Its destroyed instance has no other one to be brought back from. */
    isAdoptable: z.boolean(),
  }),
  z.object({ type: z.literal("missing-snapshot"), snapshotId: z.number(), name: z.string() }),
  z.object({
    type: z.literal("orphaned-record"),
    recordId: z.number(),
    domain: z.string(),
    name: z.string(),
    address: z.string(),
  }),
  z.object({
    type: z.literal("missing-record"),
    domain: z.string(),
    name: z.string(),
    address: z.string(),
  }),
  z.object({
    type: z.literal("changed-record"),
    recordId: z.number(),
    domain: z.string(),
    name: z.string(),
    address: z.string(),
    actual: z.string(),
    /** False for a record that somebody else has made: it is shown, and left alone. */
    isOurs: z.boolean(),
  }),
  z.object({ type: z.literal("missing-domain"), domain: z.string() }),
  z.object({ type: z.literal("missing-ssh-key"), name: z.string() }),
]);
export type Finding = z.infer<typeof finding>;
export type FindingType = Finding["type"];
export type FindingOf<Type extends FindingType> = Extract<Finding, { type: Type }>;

/** The same finding in the next round has the same key. */
export function keyOf(one: Finding): string {
  switch (one.type) {
    case "orphaned-droplet":
    case "missing-droplet":
    case "changed-address":
    case "changed-size":
    case "changed-tags":
      return `${one.type} ${one.dropletId}`;
    case "orphaned-snapshot":
    case "missing-snapshot":
      return `${one.type} ${one.snapshotId}`;
    case "orphaned-record":
      return `${one.type} ${one.recordId}`;
    case "missing-record":
    case "changed-record":
      return `${one.type} ${one.name}.${one.domain}`;
    case "missing-domain":
      return `${one.type} ${one.domain}`;
    case "missing-ssh-key":
      return `${one.type} ${one.name}`;
  }
}

export const driftActions = ["adopt", "repair", "delete"] as const;
export type DriftAction = (typeof driftActions)[number];

/** What can be made right with one press; the first is what is usually wanted. Nothing where only a person can. */
export function actionsOf(one: Finding): DriftAction[] {
  switch (one.type) {
    case "orphaned-droplet":
    case "orphaned-snapshot":
      return one.isAdoptable ? ["adopt", "delete"] : ["delete"];
    case "orphaned-record":
      return ["delete"];
    case "changed-record":
      return one.isOurs ? ["repair"] : [];
    case "missing-droplet":
      return [];
    case "changed-address":
    case "changed-size":
    case "changed-tags":
    case "missing-snapshot":
    case "missing-record":
    case "missing-domain":
    case "missing-ssh-key":
      return ["repair"];
  }
}

/** The operation behind a button. */
export function operationFor(action: DriftAction, { type }: Finding): OperationKind {
  if (action === "repair") return "repair-drift";
  if (action === "delete") return "delete-orphan";
  return type === "orphaned-droplet" ? "adopt-droplet" : "adopt-snapshot";
}
