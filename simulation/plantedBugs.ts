import type { Focus } from "./plan.ts";

/** `from` stands in the file exactly once. */
export type Change = { file: string; from: string; to: string };

/**
 * Bugs to plant: each takes one promise of the product away with a few characters. The simulation must find every one
 * of them; one that it doesn't is a hole in the simulation.
 */
export type PlantedBug = Change & {
  name: string;
  /** What the lives that look for it are about: any life may find it, these do so sooner. */
  focus: Focus;
  /** The second guard of the same promise: only without both of them it is broken. */
  also?: Change;
};

const operations = "server/operations";

export const plantedBugs: readonly PlantedBug[] = [
  // The engine
  {
    name: "a lease is never renewed, so that long steps are taken over",
    focus: { actions: ["back-up"], faults: ["clock-back"] },
    file: `${operations}/engine/lease.ts`,
    from: "if (worker.isRenewing) return;",
    to: "if (worker.isRenewing || worker.id !== '') return;",
  },
  {
    name: "claims of dead workers are held for ever",
    focus: { faults: ["worker-killed", "machine-restarted"] },
    file: `${operations}/engine/lease.ts`,
    from: "return claimedBy !== null && leaseUntil(engine, claimedBy) !== undefined;",
    to: "return claimedBy !== null;",
  },
  {
    name: "nothing is put back by itself after a failure",
    focus: { actions: ["upgrade", "edit-variables"], faults: ["version-broken", "playbook-fails"] },
    file: `${operations}/engine/outcome.ts`,
    from: "if (!rows.some((row) => row.undo) && rescue !== undefined && changed) {",
    to: "if (!rows.some((row) => row.undo) && rescue !== undefined && changed && rows.length === 0) {",
  },
  {
    name: "Cancel is forgotten when the running step fails",
    focus: {
      actions: ["destroy", "restart", "power-off"],
      faults: ["wrong-account", "answer-lost"],
      episodes: 5,
    },
    file: `${operations}/engine/outcome.ts`,
    from: 'if (operation.state === "running" && operation.cancelRequestedAt !== null && !isDone) return false;',
    to: "",
  },
  {
    name: "Retry of a cancelled operation goes forward",
    focus: { actions: ["restore", "upgrade", "retry", "cancel"], faults: ["playbook-fails"], episodes: 5 },
    file: `${operations}/engine/plan.ts`,
    from: "return { cancel: on, retry: on };",
    to: 'return { cancel: on, retry: { does: "go-on" } };',
    also: {
      file: `${operations}/cancelAndRetry.ts`,
      from: ".set({ state, round: operation.round + 1, failure: null, endedAt: null })",
      to: ".set({ state, round: operation.round + 1, failure: null, endedAt: null, cancelRequestedAt: null })",
    },
  },
  {
    name: "a playbook that was given up runs on",
    focus: { actions: ["restore", "upgrade", "edit-variables"], faults: ["playbook-hangs"] },
    file: `${operations}/engine/outcome.ts`,
    from: "if (step.stop === undefined) {",
    to: "if (step.stop === undefined || failure !== null) {",
  },
  {
    name: "a playbook's intent is not on disk before it begins",
    focus: { actions: ["restore", "edit-variables", "upgrade"], faults: ["worker-killed-in-call"] },
    file: `${operations}/steps/playbook.ts`,
    from: "if (context.facts.runs?.[context.step]?.round !== at.round) context.remember(facts(at));",
    to: "",
  },
  {
    name: "log lines are not masked",
    focus: { actions: ["edit-variables"], faults: ["clock-back"] },
    file: "server/masking.ts",
    from: 'if (secrets.length === 0 || text === "") return text;',
    to: "return text;",
  },
  {
    name: "lost wake-ups are not added again",
    focus: { faults: ["wake-up-lost", "queue-down"] },
    file: `${operations}/engine/wakeUps.ts`,
    from: "if (handed?.dueAt !== row.dueAt || handed.at < clock.monotonic() - graceMs) wake(row.operationId);",
    to: "if (handed === undefined && row.sentAt === -1) wake(row.operationId);",
  },
  {
    name: "ages are measured with the wall clock",
    focus: { faults: ["clock-forward"] },
    file: `${operations}/engine/outcome.ts`,
    from: "startedMonotonic === null ? 0 : engine.monotonic() - startedMonotonic;",
    to: "startedMonotonic === null ? 0 : (engine as Engine).now() - startedMonotonic;",
  },
  // Droplets and DNS
  {
    name: "a cancelled spawn leaves its droplet",
    focus: { faults: ["slow-boot"] },
    file: `${operations}/spawn.ts`,
    from: 'destroyDroplet("undo-droplet", "Destroy the droplet"),',
    to: "",
  },
  {
    name: "a cancelled spawn leaves its record",
    focus: { actions: ["restart"], faults: ["playbook-hangs", "playbook-fails"] },
    file: `${operations}/spawn.ts`,
    from: 'removeDns("undo-dns", "Remove the DNS record"),',
    to: "",
  },
  {
    name: "after an unclear create it buys again without looking",
    focus: { faults: ["error-after-effect", "answer-lost"] },
    file: `${operations}/steps/droplet.ts`,
    from: "if (windowEnd !== undefined) {",
    to: "if (windowEnd !== undefined && windowEnd < 0) {",
  },
  {
    name: "the window after an unclear create is not waited for",
    focus: { actions: ["test-restore", "restore-as-new"], faults: ["error-after-effect", "list-lags"] },
    file: `${operations}/steps/dropletPresence.ts`,
    from: "export const visibilityWindowMs = 60_000;",
    to: "export const visibilityWindowMs = 0;",
  },
  {
    name: "a POST without an answer is sent again",
    focus: { actions: ["test-restore", "restore-as-new"], faults: ["error-after-effect"] },
    file: "server/providers/digitalocean/request.ts",
    from: 'const safe = call.method !== "POST" && caller?.signal.aborted !== true;',
    to: "const safe = caller?.signal.aborted !== true;",
  },
  {
    name: "one 404 is enough to call a droplet gone",
    focus: { actions: ["destroy"], faults: ["single-404"] },
    file: `${operations}/steps/dropletPresence.ts`,
    from: "  await sameAccount(context);\n  const listed",
    to: '  if (droplet === undefined) return "gone";\n  const listed',
  },
  {
    name: "another team's token is not noticed",
    focus: { actions: ["destroy"], faults: ["wrong-account"] },
    file: `${operations}/steps/dropletPresence.ts`,
    from: "if (bought === id) return id;",
    to: "if (bought !== '') return id;",
  },
  {
    name: "Destroy does not wait for the snapshot",
    focus: { actions: ["destroy"], faults: ["slow-boot"] },
    file: `${operations}/destroy.ts`,
    from: 'takeSnapshot("snapshot", "Take a snapshot"),',
    to: 'step("snapshot", "Take a snapshot", async ({ instance }) => skipped({ facts: { keptDropletId: instance.dropletId ?? 0 } })),',
  },
  {
    name: "a cancelled Destroy leaves its snapshot",
    focus: { actions: ["destroy"], faults: ["action-slow"] },
    file: `${operations}/destroy.ts`,
    from: 'removeSnapshot("undo-snapshot", "Remove the snapshot"),',
    to: "",
  },
  {
    name: "Destroy takes the first droplet with its tag for the only one",
    focus: { actions: ["test-restore", "restore-as-new"], faults: ["error-after-effect", "list-lags"] },
    file: `${operations}/steps/droplet.ts`,
    from: "...tagged.map(({ id }) => id),",
    to: "",
  },
  {
    name: "somebody else's record counts as ours",
    focus: { actions: ["change-address", "destroy"], faults: ["foreign-record"] },
    file: `${operations}/steps/dns.ts`,
    from: "const ours = found.filter((one) => isOurs(context, place, one));\n  for",
    to: "const ours = found;\n  for",
  },
  {
    name: "what an earlier step asked of the droplet is not waited for",
    focus: { actions: ["resize", "power-off", "restart"], faults: ["action-slow"] },
    file: `${operations}/steps/power.ts`,
    from: "if (await isUnsettled(context))",
    to: "if (false)",
  },
  {
    name: "the budget of requests holds for one process only",
    focus: {
      actions: ["destroy", "test-restore", "restore-as-new", "bring-back"],
      faults: ["list-shifts", "listed-twice", "droplet-stays"],
      episodes: 6,
      isHasty: true,
    },
    file: "server/providers/digitalocean/budget.ts",
    from: "const requests = Math.min(wanted, ...free.map(({ room }) => room));",
    to: "const requests = wanted;",
  },
  // Data
  {
    name: "a restore makes no safety backup",
    focus: { actions: ["back-up", "restore"], faults: ["wake-up-twice"], isBusy: true },
    file: `${operations}/restore.ts`,
    from: "...backupSteps(",
    to: "...[backupSteps][1] ?? (() => [])(",
  },
  {
    name: "the app goes on while its safety backup is made",
    focus: { actions: ["restore"], faults: ["transfer-slow"] },
    file: `${operations}/restore.ts`,
    from: '{ reason: () => "before-restore", stop: true },',
    to: '{ reason: () => "before-restore", stop: false },',
  },
  {
    name: "Retry of a restore makes no new safety backup",
    focus: { actions: ["restore"], faults: ["playbook-fails", "transfer-breaks"] },
    file: `${operations}/restore.ts`,
    from: 'redoFrom: "dump"',
    to: 'redoFrom: "put-back"',
  },
  {
    name: "a backup is called good without being read back",
    focus: { actions: ["restore", "destroy", "upgrade"], faults: ["store-damages"] },
    file: `${operations}/steps/dump.ts`,
    from: "const result = await readBack(context, backup);",
    to: "const result = { ok: true as const, files: backup.files };",
  },
  {
    name: "whatever arrived counts as the backup",
    focus: { actions: ["restore", "upgrade"], faults: ["transfer-damages"] },
    file: `${operations}/steps/dump.ts`,
    from: "const { bytes, sha256 } = found.archive;",
    to: "const { bytes, sha256 } = sent;",
  },
  {
    name: "whatever arrived is put back",
    focus: { actions: ["restore", "restore-as-new"], faults: ["transfer-damages"] },
    file: `${operations}/steps/restoreData.ts`,
    from: "if (sent.bytes !== bytes || sent.sha256 !== sha256)",
    to: "if (sent.bytes < 0)",
    also: {
      file: "simulation/disk.ts",
      from: "if (posts === undefined || treeOf(posts) !== options.tree)",
      to: "if (posts === undefined)",
    },
  },
  {
    name: "a failed upgrade keeps the new version",
    focus: { actions: ["upgrade"], faults: ["version-broken", "playbook-fails"] },
    file: `${operations}/upgrade.ts`,
    from: 'rescue: { redoFrom: "dump", steps: goBack("rescue") },',
    to: "",
  },
  {
    name: "after an upgrade that got stuck the version from before is installed on the newer data",
    focus: { actions: ["upgrade", "restart"], faults: ["playbook-fails"], episodes: 12 },
    file: `${operations}/upgrade.ts`,
    from: 'if (state === "failed") leaveNewer(tx, operation);',
    to: "",
  },
  {
    name: "a cancelled restore keeps the backup's data",
    focus: { actions: ["restore"], faults: ["old-version-answers"], episodes: 5, isBusy: true },
    file: `${operations}/steps/restoreData.ts`,
    from: "restore_ids: options.putsBack ?",
    to: "restore_ids: options.putsBack && round < 0 ?",
  },
  {
    name: "variables that don't work stay",
    focus: { actions: ["edit-variables"], faults: ["playbook-fails"] },
    file: `${operations}/editVariables.ts`,
    from: "return intranetVars(context, { variables: context.variablesOf(previousSet) });",
    to: "return intranetVars(context);",
    also: {
      file: `${operations}/steps/newConfiguration.ts`,
      from: '{ ...inEffect("previous"), when: begun }',
      to: '{ learned: inEffect("previous").learned, when: begun }',
    },
  },
  {
    name: "a cancelled move stays where it went",
    focus: { actions: ["change-address"], faults: ["playbook-hangs", "old-version-answers"] },
    file: `${operations}/changeAddress.ts`,
    from: "instance: previous,",
    to: "instance: next,",
  },
  {
    name: "a dump tidies away what only this droplet has (archive program)",
    focus: { actions: ["restore", "retry", "cancel"], faults: ["playbook-fails"], episodes: 6 },
    file: "simulation/disk.ts",
    from: "for (const name of options.tidyKept) disk.before.delete(name);",
    to: "disk.before.clear();",
  },
  {
    name: "a second swap replaces the data once more (archive program)",
    focus: { actions: ["restore"], faults: ["machine-restarted"], episodes: 6, isBusy: true },
    file: "simulation/disk.ts",
    from: "const isSwapped = (disk: Disk, before: string) => disk.before.has(before) && disk.data !== undefined;",
    to: "const isSwapped = (disk: Disk, before: string) => before === '' && disk.data !== undefined;",
  },
  // Maintenance and mail
  {
    name: "retention removes what is being restored",
    focus: {
      actions: ["plan-backups", "back-up", "restore"],
      faults: ["playbook-hangs"],
      episodes: 5,
      isHasty: true,
    },
    file: "server/maintenance/retention.ts",
    from: "return beyondPlan.filter((backup) => !uses.backup(backup)).map(({ id }) => id);",
    to: "return beyondPlan.map(({ id }) => id);",
  },
  {
    name: "a purge removes what is being restored",
    focus: {
      actions: ["back-up", "destroy", "purge", "restore-as-new"],
      faults: ["queue-down", "store-silent"],
      episodes: 8,
      isHasty: true,
    },
    file: `${operations}/purge.ts`,
    from: "if (row !== undefined && usesOf(tx, operationId).backup(row))",
    to: "if (row === undefined)",
  },
  {
    name: "the oldest snapshot is kept instead of the newest",
    focus: { actions: ["destroy", "bring-back"], faults: ["slow-boot"], episodes: 6 },
    file: `${operations}/backupUses.ts`,
    from: ".orderBy(desc(snapshots.answered), desc(operations.sequence), desc(snapshots.sequence))",
    to: ".orderBy(snapshots.sequence)",
  },
  {
    name: "an unclear mail is sent under a new key",
    focus: { actions: ["bring-back", "destroy"], faults: ["mail-answer-lost"] },
    file: "server/mail/sender.ts",
    from: "idempotencyKey: row.id }",
    to: "idempotencyKey: row.id + row.attempts }",
  },
  {
    name: "nobody is told of a failure",
    focus: { actions: ["restore", "upgrade"], faults: ["playbook-fails"] },
    file: `${operations}/engine/outcome.ts`,
    from: 'if (state === "failed") addFailedMail(tx, engine, operation);',
    to: "",
  },
  {
    name: "a mail that was not taken is forgotten",
    focus: { faults: ["mail-down"] },
    file: "server/mail/sender.ts",
    from: "...(isOver ? { abandonedAt: mailbox.now() } : {}),",
    to: "abandonedAt: mailbox.now(),",
  },
];
