import type { ActionEngine } from "./api/actions.ts";
import type { Faults } from "./api/faults.ts";
import type { RequestCounts } from "./api/requests.ts";
import type { Isolation } from "./host/isolation.ts";
import type { Machines } from "./host/machines.ts";
import type { Store } from "./host/state.ts";
import type { CloudOptions } from "./options.ts";

/** What every part of the local cloud works with. */
export type Cloud = {
  options: CloudOptions;
  store: Store;
  machines: Machines;
  actions: ActionEngine;
  faults: Faults;
  requests: RequestCounts;
  /** `http://127.0.0.1:<port>`, known once the port is bound. */
  apiUrl: string;
  edgePort: number;
  isolation: Isolation;
  /** First two numbers of the droplets' addresses, known once they are claimed. */
  addressBase: string;
  /** Aborts when the cloud closes. */
  closing: AbortSignal;
};
