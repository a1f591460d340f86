"use client";
import { useMutation } from "@tanstack/react-query";
import { Archive, AtSign, Braces, Ellipsis, History, RotateCw, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { offlineReason, useConnection } from "#app/live.tsx";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button, buttonClass } from "#app/ui/button.tsx";
import { lazily } from "#app/ui/lazily.tsx";
import { Menu } from "#app/ui/menu.tsx";
import type { InstanceDetail, OperationKind } from "#server/api/views.ts";
import { currentOperation } from "./currentOperation.ts";
import { useStartedOperation } from "./useStartedOperation.ts";

const overlay = { isOverlay: true };
const CancelDialog = lazily(
  () => import("./dialogs/simpleDialogs.tsx").then((module) => module.CancelDialog),
  overlay,
);
const PowerDialog = lazily(
  () => import("./dialogs/simpleDialogs.tsx").then((module) => module.PowerDialog),
  overlay,
);
const DestroyDialog = lazily(
  () => import("./dialogs/destroyDialog.tsx").then((module) => module.DestroyDialog),
  overlay,
);
const PurgeDialog = lazily(
  () => import("./dialogs/purgeDialog.tsx").then((module) => module.PurgeDialog),
  overlay,
);
const AddressDialog = lazily(
  () => import("./dialogs/addressDialog.tsx").then((module) => module.AddressDialog),
  overlay,
);
const VariablesDialog = lazily(
  () => import("./dialogs/variablesDialog.tsx").then((module) => module.VariablesDialog),
  overlay,
);
const BringBackDialog = lazily(
  () => import("./dialogs/bringBackDialog.tsx").then((module) => module.BringBackDialog),
  overlay,
);
const RenameDialog = lazily(
  () => import("./dialogs/renameDialog.tsx").then((module) => module.RenameDialog),
  overlay,
);
const ResizeDialog = lazily(
  () => import("./dialogs/machineDialogs.tsx").then((module) => module.ResizeDialog),
  overlay,
);
const UpgradeDialog = lazily(
  () => import("./dialogs/machineDialogs.tsx").then((module) => module.UpgradeDialog),
  overlay,
);

const icon = { size: 15, strokeWidth: 1.9, "aria-hidden": true } as const;

type Asked =
  | "cancel"
  | "destroy"
  | "purge"
  | "address"
  | "variables"
  | "bringBack"
  | "rename"
  | "resize"
  | "upgrade"
  | "restart"
  | "off"
  | "on";

const menu: { asks: Asked; kind: OperationKind; label: string }[] = [
  { asks: "rename", kind: "rename", label: "Rename" },
  { asks: "restart", kind: "restart", label: "Restart" },
  { asks: "off", kind: "power-off", label: "Power off" },
  { asks: "on", kind: "power-on", label: "Power on" },
  { asks: "resize", kind: "resize", label: "Resize" },
  { asks: "upgrade", kind: "upgrade", label: "Upgrade" },
];

/** What can be done with an instance now; what cannot says why. */
export function Actions({ instance }: { instance: InstanceDetail }) {
  const trpc = useTRPC();
  const connection = useConnection();
  const [asked, setAsked] = useState<Asked>();
  const begun = useStartedOperation(instance);
  const retry = useMutation(trpc.operations.retry.mutationOptions({ onSuccess: begun }));
  const backUp = useMutation(trpc.backups.backUp.mutationOptions({ onSuccess: begun }));
  const operation = currentOperation(instance.operations);
  const offline = connection.live ? null : offlineReason;
  const reason = (kind: OperationKind) => offline ?? instance.refusals[kind] ?? null;
  const possible = (kind: OperationKind) => instance.refusals[kind] === undefined;
  const isDestroyed = instance.status === "destroyed";
  const runs = operation?.state === "running" || operation?.state === "cancelling";
  const close = () => setAsked(undefined);
  const error = retry.error ?? backUp.error;
  return (
    <div className="flex flex-wrap gap-2">
      {operation !== undefined && (runs || operation.state === "failed") && operation.steps.length > 0 && (
        <>
          {(runs || operation.cancelRefusal === null) && (
            <Button reason={offline ?? operation.cancelRefusal} onClick={() => setAsked("cancel")}>
              Cancel
            </Button>
          )}
          {operation.canRetry && (
            <Button
              look="primary"
              reason={offline}
              sending={retry.isPending}
              onClick={() => retry.mutate({ operationId: operation.id })}
            >
              <RotateCw {...icon} />
              Retry
            </Button>
          )}
        </>
      )}
      {isDestroyed ? (
        <>
          <Button look="primary" reason={reason("bring-back")} onClick={() => setAsked("bringBack")}>
            <History {...icon} />
            Bring back
          </Button>
          <Button look="danger-line" reason={reason("purge")} onClick={() => setAsked("purge")}>
            <Trash2 {...icon} />
            Remove for good
          </Button>
        </>
      ) : (
        <>
          <Possible now={possible("backup")}>
            <Button
              reason={reason("backup")}
              sending={backUp.isPending}
              onClick={() => backUp.mutate({ instanceId: instance.id })}
            >
              <Archive {...icon} />
              Back up now
            </Button>
          </Possible>
          <Possible now={possible("change-address")}>
            <Button reason={reason("change-address")} onClick={() => setAsked("address")}>
              <AtSign {...icon} />
              Change address
            </Button>
          </Possible>
          <Possible now={possible("edit-variables")}>
            <Button reason={reason("edit-variables")} onClick={() => setAsked("variables")}>
              <Braces {...icon} />
              Edit variables
            </Button>
          </Possible>
          <Possible now={menu.some(({ kind }) => possible(kind))}>
            <More reason={reason} onChoose={setAsked} />
          </Possible>
          <Possible now={possible("destroy")}>
            <Button look="danger-line" reason={reason("destroy")} onClick={() => setAsked("destroy")}>
              <Trash2 {...icon} />
              Destroy instance
            </Button>
          </Possible>
        </>
      )}
      {error !== null && (
        <p role="alert" className="w-full text-sm text-bad-ink">
          {sentenceOf(error)}
        </p>
      )}
      {asked === "cancel" && operation !== undefined && (
        <CancelDialog instance={instance} operation={operation} onClose={close} />
      )}
      {asked === "destroy" && <DestroyDialog instance={instance} onClose={close} />}
      {asked === "purge" && <PurgeDialog instance={instance} onClose={close} />}
      {asked === "address" && <AddressDialog instance={instance} onClose={close} />}
      {asked === "variables" && <VariablesDialog instance={instance} onClose={close} />}
      {asked === "bringBack" && <BringBackDialog instance={instance} onClose={close} />}
      {asked === "rename" && <RenameDialog instance={instance} onClose={close} />}
      {asked === "resize" && <ResizeDialog instance={instance} onClose={close} />}
      {asked === "upgrade" && <UpgradeDialog instance={instance} onClose={close} />}
      {(asked === "restart" || asked === "off" || asked === "on") && (
        <PowerDialog instance={instance} power={asked} onClose={close} />
      )}
    </div>
  );
}

/** A phone has no room for what cannot be pressed now; elsewhere it stays in its place and says why. */
function Possible({ now, children }: { now: boolean; children: ReactNode }) {
  return <span className={now ? "contents" : "contents max-md:hidden"}>{children}</span>;
}

function More({
  reason,
  onChoose,
}: {
  reason: (kind: OperationKind) => string | null;
  onChoose: (asked: Asked) => void;
}) {
  return (
    <Menu
      label="More actions"
      className={buttonClass("plain")}
      align="end"
      width="w-64"
      items={menu
        .filter(({ asks }) => (reason("power-on") === null ? asks !== "off" : asks !== "on"))
        .map(({ asks, kind, label }) => ({ label, reason: reason(kind), onChoose: () => onChoose(asks) }))}
    >
      <Ellipsis {...icon} />
    </Menu>
  );
}
