import type { ActionEngine } from "./actions.ts";
import type { Faults } from "./faults.ts";
import type { Machines } from "./machines.ts";
import type { CloudOptions } from "./options.ts";
import type { RequestCounts } from "./requests.ts";
import type { Store } from "./state.ts";

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
  /** First two numbers of the droplets' addresses, known once they are claimed. */
  addressBase: string;
  /** Aborts when the cloud closes. */
  closing: AbortSignal;
};
