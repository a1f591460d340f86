import { type OperationKind, operationKinds } from "#db/schema.ts";
import { adoptDroplet } from "./adoptDroplet.ts";
import { adoptSnapshotOperation } from "./adoptSnapshot.ts";
import { backup } from "./backup.ts";
import { bringBack } from "./bringBack.ts";
import { changeAddress } from "./changeAddress.ts";
import { deleteOrphanOperation } from "./deleteOrphan.ts";
import { destroy } from "./destroy.ts";
import { editVariables } from "./editVariables.ts";
import type { AnyDefinition } from "./engine/define.ts";
import { purge } from "./purge.ts";
import { removeOrphanedDroplet } from "./removeOrphanedDroplet.ts";
import { rename } from "./rename.ts";
import { repairDrift } from "./repairDrift.ts";
import { resize } from "./resize.ts";
import { powerOff, powerOn, restart } from "./restart.ts";
import { restore } from "./restore.ts";
import { restoreAsNew } from "./restoreAsNew.ts";
import { spawn } from "./spawn.ts";
import { testRestore } from "./testRestore.ts";
import { upgrade } from "./upgrade.ts";

/** Every operation there is. A new kind does not compile until it is declared here. */
export const registry: Readonly<Record<OperationKind, AnyDefinition>> = {
  spawn,
  destroy,
  "bring-back": bringBack,
  backup,
  restore,
  "restore-as-new": restoreAsNew,
  "test-restore": testRestore,
  "change-address": changeAddress,
  "edit-variables": editVariables,
  rename,
  restart,
  "power-off": powerOff,
  "power-on": powerOn,
  resize,
  upgrade,
  purge,
  "remove-orphaned-droplet": removeOrphanedDroplet,
  "adopt-droplet": adoptDroplet,
  "adopt-snapshot": adoptSnapshotOperation,
  "repair-drift": repairDrift,
  "delete-orphan": deleteOrphanOperation,
};

/** The kinds whose definitions match. */
export const kindsThat = (isSo: (definition: AnyDefinition) => boolean): OperationKind[] =>
  operationKinds.filter((kind) => isSo(registry[kind]));

/** The kinds that work on a droplet of their own and throw it away. */
export const throwawayKinds = (): OperationKind[] =>
  kindsThat(({ leavesAtDigitalOcean }) => leavesAtDigitalOcean === "throwaway-droplet");
