import type { Caller } from "#server/providers/digitalocean/request.ts";
import type { Providers, StepProviders } from "./define.ts";

/**
 * The providers as one claimed step has them: what changes something outside is sent only while the step may act, so
 * that a worker that was overtaken cannot do afterwards what its successor has done or undone.
 */
export function guardProviders(providers: Providers, caller: Caller): StepProviders {
  const { mayAct } = caller;
  return {
    get digitalocean() {
      return providers.digitalocean.for(caller);
    },
    get playbooks() {
      return guard(providers.playbooks, ["ensureRun", "cancelRun", "forgetRun"], mayAct);
    },
    get backups() {
      return guard(providers.backups, ["put", "remove"], mayAct);
    },
    get transfer() {
      return guard(providers.transfer, ["fetchFile", "sendFile", "removeFiles"], mayAct);
    },
    get verifyArchive() {
      return providers.verifyArchive;
    },
    get probe() {
      return providers.probe;
    },
    get scanHostKey() {
      return providers.scanHostKey;
    },
  };
}

/** The same provider; `mayAct` is asked before each of the methods that change something. */
function guard<Provider extends object>(
  provider: Provider,
  changing: readonly (keyof Provider)[],
  mayAct: () => void,
): Provider {
  const isChanging = (name: string | symbol) => changing.some((one) => one === name);
  return new Proxy(provider, {
    get(target, name, receiver) {
      const method: unknown = Reflect.get(target, name, receiver);
      if (!isChanging(name) || typeof method !== "function") return method;
      return async (...all: unknown[]) => {
        mayAct();
        return method(...all);
      };
    },
  });
}
