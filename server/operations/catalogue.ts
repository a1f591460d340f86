import type { OperationKind } from "../../db/schema.ts";
import type { AnyDefinition } from "./definition.ts";
import { destroy } from "./destroy.ts";
import { spawn } from "./spawn.ts";

/** Every operation there is. A new kind does not compile until it is declared here. */
export const catalogue: Readonly<Record<OperationKind, AnyDefinition>> = { spawn, destroy };
