import { describe, expect, test } from "vitest";
import { instanceTag, operationTag, restoreTestTag } from "#server/operations/steps/droplet.ts";
import type { Droplet } from "#server/providers/digitalocean/digitalocean.ts";
import { compare, type Expected, type Found, type Inventory, settledMs } from "./compare.ts";

const now = 1_800_000_000_000;
const longAgo = now - 24 * 3_600_000;
const justNow = now - settledMs + 1;
const domain = "intranet.io";
const key = "ssh-ed25519 AAAA";

type Instance = Expected["instances"][number];
const acme: Instance = {
  ...{ id: "acme", slug: "acme", domain, status: "running", dropletId: 1, ipAddress: "203.0.113.1" },
  ...{ size: "s-1vcpu-2gb", priceMonthlyCents: 1200, snapshotId: null, destroyedAt: null, purgedAt: null },
  changedAt: longAgo,
};
/** Destroyed long ago; what is left of it is a matter of the test. */
const gone: Instance = {
  ...acme,
  ...{
    id: "gone",
    slug: "gone",
    status: "destroyed",
    dropletId: null,
    ipAddress: null,
    destroyedAt: longAgo,
  },
};
const droplet = (over: Partial<Droplet> = {}): Droplet => ({
  ...{ id: 1, name: "acme.intranet.io", status: "active", address: "203.0.113.1", snapshotIds: [] },
  ...{ sizeSlug: "s-1vcpu-2gb", priceMonthlyCents: 1200, regionSlug: "fra1" },
  createdAt: new Date(longAgo).toISOString(),
  tags: ["spawner", instanceTag("acme"), operationTag("spawned")],
  ...over,
});
const expectedOf = (over: Partial<Expected> = {}): Expected => ({
  instances: [acme, gone],
  aliases: [],
  snapshots: [],
  operations: [
    { id: "spawned", instanceId: "acme", kind: "spawn", restores: false },
    { id: "spawned-gone", instanceId: "gone", kind: "spawn", restores: false },
    { id: "destroyed", instanceId: "gone", kind: "destroy", restores: false },
  ],
  busy: new Set(),
  elsewhere: new Set(),
  heldDroplets: new Set(),
  addresses: new Set(["203.0.113.1", "203.0.113.2"]),
  hosts: new Map([
    ["acme.intranet.io", "acme"],
    ["gone.intranet.io", "gone"],
  ]),
  recordIds: new Set(),
  sshKey: { name: "intranet-spawner-1", publicKey: key },
  ...over,
});
const record = { id: 11, name: "acme", data: "203.0.113.1" };
const inventoryOf = (over: Partial<Inventory> = {}): Inventory => ({
  droplets: [droplet()],
  gone: new Set(),
  snapshots: [],
  records: new Map([[domain, [record]]]),
  sshKeys: [key, "ssh-rsa BBBB"],
  ...over,
});
const found = (expected: Partial<Expected> = {}, inventory: Partial<Inventory> = {}): Found[] =>
  [...compare(expectedOf(expected), inventoryOf(inventory), now)].flat();
const findings = (expected: Partial<Expected> = {}, inventory: Partial<Inventory> = {}) =>
  found(expected, inventory).map((one) => one.finding);

test("what agrees is no drift", () => {
  expect(found()).toEqual([]);
});

describe("orphaned droplets", () => {
  const orphan = droplet({ id: 2, name: "double" });
  const withOrphan = (over: Partial<Droplet> = {}) => ({ droplets: [droplet(), { ...orphan, ...over }] });
  const bought = (kind: "spawn" | "bring-back" | "restore-as-new", restores = kind === "restore-as-new") => ({
    operations: [...expectedOf().operations, { id: "again", instanceId: "gone", kind, restores }],
  });
  const ofGone = (over: Partial<Droplet> = {}) =>
    withOrphan({ tags: ["spawner", instanceTag("gone"), operationTag("again")], ...over });

  test("a double that our operation bought is deleted", () => {
    expect(found({}, withOrphan())).toEqual([
      {
        instanceId: "acme",
        finding: {
          ...{ type: "orphaned-droplet", dropletId: 2, name: "double", createdAt: longAgo },
          ...{ ownTag: operationTag("spawned"), isAdoptable: false },
        },
        ...{ monthlyCents: 1200, isSettled: true },
      },
    ]);
  });
  test("one whose operation is unknown is ours by its instance", () => {
    for (const tag of [instanceTag("acme"), restoreTestTag("acme")])
      expect(findings({}, withOrphan({ tags: ["spawner", tag] }))).toMatchObject([{ ownTag: tag }]);
  });
  test("another Spawner's, one without our tag, and anybody else's are left alone", () => {
    for (const tags of [
      ["spawner"],
      ["spawner", operationTag("elsewhere"), instanceTag("elsewhere")],
      [operationTag("spawned"), instanceTag("acme")],
      ["web"],
    ])
      expect(found({}, withOrphan({ tags })), tags.join()).toEqual([]);
  });
  test("one that a row owns, or that a failed test restore keeps for its retry, is none", () => {
    expect(found({ heldDroplets: new Set([2]) }, withOrphan())).toEqual([]);
    const second = { ...acme, id: "second", slug: "second", status: "failed" as const, dropletId: 2 };
    const tags = ["spawner", instanceTag("second"), operationTag("spawned")];
    expect(found({ instances: [acme, second] }, withOrphan({ tags }))).toEqual([]);
  });
  test("one younger than the window is not settled, nor one of an instance that has just changed", () => {
    const young = withOrphan({ createdAt: new Date(justNow).toISOString() });
    expect(found({}, young)).toMatchObject([{ isSettled: false }]);
    const changed = { instances: [{ ...acme, changedAt: justNow }] };
    expect(found(changed, withOrphan())).toMatchObject([{ isSettled: false }]);
  });
  test("a destroyed or failed instance without a droplet may adopt what was bought for it last", () => {
    for (const kind of ["spawn", "bring-back"] as const)
      for (const status of ["destroyed", "failed"] as const)
        expect(findings({ ...bought(kind), instances: [acme, { ...gone, status }] }, ofGone())).toMatchObject(
          [{ type: "orphaned-droplet", isAdoptable: true }],
        );
  });
  test.each<[string, Partial<Expected>, Partial<Inventory>]>([
    [
      "bought before the newest one",
      bought("spawn"),
      withOrphan({ tags: ["spawner", instanceTag("gone"), operationTag("spawned-gone")] }),
    ],
    ["bought for a restore that may not have come to its data", bought("restore-as-new"), ofGone()],
    ["bought to bring a backup back, which may not be there yet", bought("bring-back", true), ofGone()],
    [
      "a throwaway",
      bought("spawn"),
      ofGone({ tags: ["spawner", restoreTestTag("gone"), operationTag("again")] }),
    ],
    [
      "of an instance that has another droplet",
      { ...bought("spawn"), instances: [acme, { ...gone, dropletId: 3 }] },
      ofGone(),
    ],
    [
      "of an instance that runs",
      { ...bought("spawn"), instances: [acme, { ...gone, status: "running" }] },
      ofGone(),
    ],
    [
      "of an instance whose name is taken",
      { ...bought("spawn"), instances: [{ ...acme, slug: "gone" }, gone] },
      { ...ofGone(), records: new Map([[domain, [{ ...record, name: "gone" }]]]) },
    ],
    [
      "of an instance whose name leads to another",
      { ...bought("spawn"), aliases: [{ instanceId: "acme", slug: "gone", domain, role: "next" }] },
      ofGone(),
    ],
  ])("one that is %s is deleted, not adopted", (_what, expected, inventory) => {
    expect(findings(expected, inventory)).toMatchObject([{ type: "orphaned-droplet", isAdoptable: false }]);
  });
});

describe("droplets of our rows", () => {
  test("one that neither list nor direct look knows is missing", () => {
    expect(found({}, { droplets: [], gone: new Set([1]) })).toEqual([
      {
        ...{ instanceId: "acme", monthlyCents: 0, isSettled: true },
        finding: { type: "missing-droplet", dropletId: 1 },
      },
    ]);
  });
  test("one of which nothing was learned is not judged", () => {
    expect(found({}, { droplets: [] })).toEqual([]);
  });
  test("another address: the records are left for the repair of the address", () => {
    const records = new Map([[domain, [{ ...record, data: "203.0.113.9" }]]]);
    expect(findings({}, { droplets: [droplet({ address: "203.0.113.9" })], records })).toEqual([
      { type: "changed-address", dropletId: 1, recorded: "203.0.113.1", actual: "203.0.113.9" },
    ]);
  });
  test("an address that is not there yet is no other one", () => {
    expect(found({}, { droplets: [droplet({ address: undefined })] })).toEqual([]);
  });
  test("another size: what it costs more, or less", () => {
    const larger = droplet({ sizeSlug: "s-2vcpu-4gb", priceMonthlyCents: 2400 });
    expect(found({}, { droplets: [larger] })).toMatchObject([
      {
        monthlyCents: 1200,
        finding: {
          ...{ type: "changed-size", recorded: "s-1vcpu-2gb", actual: "s-2vcpu-4gb" },
          ...{ recordedPrice: 1200, actualPrice: 2400 },
        },
      },
    ]);
  });
  test("tags that were taken away", () => {
    expect(findings({}, { droplets: [droplet({ tags: [operationTag("spawned")] })] })).toEqual([
      { type: "changed-tags", dropletId: 1, missing: ["spawner", instanceTag("acme")] },
    ]);
  });
  test("an instance that has just changed is not settled", () => {
    const instances = [{ ...acme, changedAt: justNow }];
    for (const inventory of [
      { droplets: [], gone: new Set([1]) },
      { droplets: [droplet({ address: "203.0.113.9" })] },
      { droplets: [droplet({ sizeSlug: "s-2vcpu-4gb" })] },
      { droplets: [droplet({ tags: [] })] },
      { records: new Map([[domain, []]]) },
    ])
      expect(found({ instances }, inventory)).toMatchObject([{ isSettled: false }]);
  });
});

describe("snapshots", () => {
  const name = "gone-final-destroyed";
  const snapshot = { id: 71, name, sizeGb: 10, createdAt: longAgo };
  const row = { id: 71, instanceId: "gone", name, takenAt: longAgo, removingAt: null, removedAt: null };

  test("one that a row knows is no drift", () => {
    expect(found({ snapshots: [row] }, { snapshots: [snapshot] })).toEqual([]);
  });
  test("one that our destroy took and no row knows can be brought back from", () => {
    expect(found({}, { snapshots: [snapshot] })).toEqual([
      {
        ...{ instanceId: "gone", monthlyCents: 60, isSettled: true },
        finding: {
          ...{ type: "orphaned-snapshot", snapshotId: 71, name, sizeGb: 10, createdAt: longAgo },
          ...{ operationId: "destroyed", isAdoptable: true },
        },
      },
    ]);
  });
  test("one that was to be removed and is still there is deleted", () => {
    const removed = { ...row, removedAt: longAgo };
    const purged = [acme, { ...gone, purgedAt: longAgo }];
    expect(findings({ snapshots: [removed], instances: purged }, { snapshots: [snapshot] })).toMatchObject([
      { type: "orphaned-snapshot", isAdoptable: false },
    ]);
  });
  test("of an instance that lives or has another snapshot it is deleted, never adopted", () => {
    for (const over of [{ snapshotId: 72 }, { status: "running" as const }, { status: "failed" as const }])
      expect(findings({ instances: [acme, { ...gone, ...over }] }, { snapshots: [snapshot] })).toMatchObject([
        { isAdoptable: false },
      ]);
  });
  test("anybody else's is left alone, however it is called", () => {
    for (const other of [
      "nightly",
      "gone-final-elsewhere",
      "gone-final-spawned",
      "-final-destroyed",
      "final",
    ])
      expect(found({}, { snapshots: [{ ...snapshot, name: other }] }), other).toEqual([]);
  });
  test("one that is gone is missing, once", () => {
    expect(findings({ snapshots: [row] })).toEqual([{ type: "missing-snapshot", snapshotId: 71, name }]);
    expect(found({ snapshots: [{ ...row, removedAt: longAgo }] })).toEqual([]);
  });
  test("one whose removal has begun may be there or not", () => {
    const removing = { ...row, removingAt: longAgo };
    expect(found({ snapshots: [removing] })).toEqual([]);
    expect(found({ snapshots: [removing] }, { snapshots: [snapshot] })).toEqual([]);
  });
  test("what was taken, removed or changed a moment ago is not settled", () => {
    const young = [
      found({}, { snapshots: [{ ...snapshot, createdAt: justNow }] }),
      found({ snapshots: [{ ...row, removedAt: justNow }] }, { snapshots: [snapshot] }),
      found({ instances: [acme, { ...gone, changedAt: justNow }] }, { snapshots: [snapshot] }),
      found({ snapshots: [{ ...row, takenAt: justNow }] }),
      found({ snapshots: [row], instances: [acme, { ...gone, changedAt: justNow }] }),
    ];
    for (const one of young) expect(one).toMatchObject([{ isSettled: false }]);
  });
});

describe("records", () => {
  const withRecords = (...records: { id: number; name: string; data: string }[]) => ({
    records: new Map([[domain, records]]),
  });
  const redirect = { instanceId: "acme", slug: "old", domain, role: "redirect" as const };

  test("the name of an instance that stands, and its redirects, lead to its droplet", () => {
    for (const status of ["running", "unreachable", "off"] as const)
      expect(
        findings({ instances: [{ ...acme, status }], aliases: [redirect] }, withRecords(record)),
      ).toEqual([{ type: "missing-record", domain, name: "old", address: "203.0.113.1" }]);
  });
  test("of one that failed, or has no droplet, none is asked for", () => {
    for (const over of [{ status: "failed" as const }, { dropletId: null }, { ipAddress: null }])
      expect(found({ instances: [{ ...acme, ...over }] }, { ...withRecords(), droplets: [] })).toEqual([]);
  });
  test("of one whose droplet is gone only that is said", () => {
    expect(findings({}, { ...withRecords(), droplets: [], gone: new Set([1]) })).toMatchObject([
      { type: "missing-droplet" },
    ]);
  });
  test("the next name of a move that is not over is neither asked for nor orphaned", () => {
    const next = { ...redirect, role: "next" as const };
    const hosts = new Map([...expectedOf().hosts, ["old.intranet.io", "acme"]]);
    for (const data of ["203.0.113.1", "203.0.113.2"])
      expect(found({ aliases: [next], hosts }, withRecords(record, { id: 12, name: "old", data }))).toEqual(
        [],
      );
    expect(found({ aliases: [next], hosts })).toEqual([]);
  });
  test("one of ours that points elsewhere is repaired", () => {
    const changed = {
      ...{ type: "changed-record", recordId: 11, domain, name: "acme" },
      ...{ address: "203.0.113.1", actual: "203.0.113.2", isOurs: true },
    };
    const known = { recordIds: new Set([11]) };
    expect(findings(known, withRecords({ ...record, data: "203.0.113.2" }))).toEqual([changed]);
    expect(findings(known, withRecords({ ...record, data: "192.0.2.1" }))).toEqual([
      { ...changed, actual: "192.0.2.1" },
    ]);
  });
  test("one that somebody else has made is shown, not repaired", () => {
    expect(findings({}, withRecords({ ...record, data: "192.0.2.1" }))).toMatchObject([
      { type: "changed-record", actual: "192.0.2.1", isOurs: false },
    ]);
  });
  test("a second one beside the right one is deleted when it is ours", () => {
    const second = { id: 12, name: "acme", data: "203.0.113.2" };
    expect(findings({}, withRecords(record, second))).toEqual([
      { type: "orphaned-record", recordId: 12, domain, name: "acme", address: "203.0.113.2" },
    ]);
    expect(found({}, withRecords(record, { ...second, data: "192.0.2.1" }))).toEqual([]);
  });
  test("the same one twice does no harm", () => {
    expect(found({}, withRecords(record, { ...record, id: 12 }))).toEqual([]);
  });
  test("one that a destroyed or moved instance left behind is deleted", () => {
    const left = { id: 13, name: "gone", data: "203.0.113.2" };
    expect(found({}, withRecords(record, left))).toEqual([
      {
        ...{ instanceId: "gone", monthlyCents: 0, isSettled: true },
        finding: { type: "orphaned-record", recordId: 13, domain, name: "gone", address: "203.0.113.2" },
      },
    ]);
    const hosts = new Map([...expectedOf().hosts, ["moved.intranet.io", "acme"]]);
    expect(
      findings({ hosts }, withRecords(record, { id: 14, name: "moved", data: "203.0.113.1" })),
    ).toMatchObject([{ type: "orphaned-record", name: "moved" }]);
  });
  test("an unknown name, or an address that was never ours, is left alone", () => {
    expect(
      found(
        {},
        withRecords(
          record,
          { id: 13, name: "www", data: "203.0.113.2" },
          { id: 14, name: "gone", data: "192.0.2.1" },
          { id: 15, name: "@", data: "203.0.113.1" },
        ),
      ),
    ).toEqual([]);
  });
  test("of a name that somebody else uses again nothing is orphaned", () => {
    const again = { ...acme, id: "again", slug: "gone", dropletId: 5, ipAddress: "203.0.113.5" };
    const record5 = { id: 13, name: "gone", data: "203.0.113.5" };
    expect(found({ instances: [acme, gone, again] }, withRecords(record, record5))).toEqual([]);
  });
  test("a domain that is not at this account is one finding, whatever the number of names", () => {
    const second = { ...acme, id: "second", slug: "second", dropletId: 5, ipAddress: "203.0.113.5" };
    const records = new Map([[domain, undefined]]);
    expect(findings({ instances: [acme, second] }, { records })).toEqual([
      { type: "missing-domain", domain },
    ]);
    expect(found({ instances: [gone] }, { records, droplets: [] })).toEqual([]);
    expect(found({ instances: [{ ...acme, changedAt: justNow }] }, { records })).toEqual([]);
  });
});

describe("the SSH key", () => {
  test("one that is gone is missing as long as an instance stands", () => {
    expect(findings({}, { sshKeys: [] })).toEqual([{ type: "missing-ssh-key", name: "intranet-spawner-1" }]);
    expect(found({ instances: [gone] }, { sshKeys: [], droplets: [] })).toEqual([]);
    expect(found({ instances: [{ ...acme, changedAt: justNow }] }, { sshKeys: [] })).toEqual([]);
  });
});

test("nothing of an instance with a live operation is judged, whatever differs", () => {
  const name = "gone-final-destroyed";
  const inventory: Partial<Inventory> = {
    droplets: [
      droplet({ address: "203.0.113.9", sizeSlug: "s-2vcpu-4gb", tags: [] }),
      droplet({ id: 2 }),
      droplet({ id: 3, tags: ["spawner", instanceTag("gone")] }),
    ],
    snapshots: [{ id: 71, name, sizeGb: 1, createdAt: longAgo }],
    records: new Map([[domain, [{ id: 13, name: "gone", data: "203.0.113.2" }]]]),
    sshKeys: [],
  };
  const row = { id: 70, instanceId: "gone", name, takenAt: longAgo, removingAt: null, removedAt: null };
  const expected = { snapshots: [row] };
  const types = (busy: string[]) =>
    new Set(found({ ...expected, busy: new Set(busy) }, inventory).map((one) => one.instanceId));
  expect(types([])).toEqual(new Set(["acme", "gone"]));
  expect(types(["acme"])).toEqual(new Set(["gone"]));
  expect(types(["gone"])).toEqual(new Set(["acme"]));
  expect(types(["acme", "gone"])).toEqual(new Set());
});
