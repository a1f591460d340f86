import { type OperationStarter, startOperation } from "#server/operations/startOperation.ts";

const powers = {
  restart: { kind: "restart", verb: "restarted" },
  off: { kind: "power-off", verb: "switched off" },
  on: { kind: "power-on", verb: "switched on" },
} as const;

/** Restarts an instance's droplet, or switches it off or on. */
export function setPower(
  beginner: OperationStarter,
  { instanceId, power }: { instanceId: string; power: keyof typeof powers },
  who: string,
): string {
  const { kind, verb } = powers[power];
  return startOperation(beginner, {
    instanceId,
    kind,
    who,
    plan: (_tx, { company }) => ({ what: `${verb} ${company}` }),
  });
}
