import { type OperationStarter, startOperation } from "#server/operations/startOperation.ts";

const powers = {
  restart: { action: "restart", kind: "restart", verb: "restarted" },
  off: { action: "powerOff", kind: "power-off", verb: "switched off" },
  on: { action: "powerOn", kind: "power-on", verb: "switched on" },
} as const;

/** Restarts an instance's droplet, or switches it off or on. */
export function setPower(
  beginner: OperationStarter,
  { instanceId, power }: { instanceId: string; power: keyof typeof powers },
  who: string,
): string {
  const { action, kind, verb } = powers[power];
  return startOperation(beginner, {
    instanceId,
    action,
    kind,
    who,
    plan: (_tx, { company }) => ({ what: `${verb} ${company}` }),
  });
}
