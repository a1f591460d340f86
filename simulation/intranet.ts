import type { Probe, Answer as ProbeAnswer } from "#server/providers/probe.ts";
import type { Cloud, SimDroplet } from "./cloud.ts";
import type { Post } from "./disk.ts";
import type { Faults } from "./faults.ts";
import type { Process } from "./process.ts";

/** The intranets as visitors meet them: by name, and only while the droplet runs and the app is started. */
export function createIntranets(cloud: Cloud, faults: Faults) {
  const runs = (droplet: SimDroplet) =>
    cloud.isReachable(droplet) &&
    droplet.disk.isStarted &&
    droplet.disk.software !== undefined &&
    droplet.disk.data !== undefined;

  function at(url: URL): SimDroplet | undefined {
    const byAddress = cloud.dropletAt(url.hostname);
    if (byAddress !== undefined) return byAddress;
    const [address] = cloud.resolve(url.hostname);
    return address === undefined ? undefined : cloud.dropletAt(address);
  }

  /** What answers at a URL: the intranet that knows itself by this host, or nothing. */
  function answering(url: string): SimDroplet | undefined {
    const asked = new URL(url);
    const droplet = at(asked);
    if (droplet === undefined || !runs(droplet)) return undefined;
    const { environment } = droplet.disk;
    const names = [
      new URL(environment?.url ?? "http://nowhere").hostname,
      ...(environment?.redirectFrom ?? []),
    ];
    return names.includes(asked.hostname) ? droplet : undefined;
  }

  /** Somebody posts; true when they were told that it is kept. */
  function post(url: string, text: Post): boolean {
    const droplet = answering(url);
    if (droplet?.disk.data === undefined) return false;
    droplet.disk.data.push(text);
    return true;
  }

  const probeFor = (process: Process): Probe => ({
    answer: (url) =>
      process.call<ProbeAnswer>(() => {
        const droplet = answering(url);
        if (droplet === undefined) return { ok: false, ms: 5, userMessage: "It doesn't answer." };
        const version = faults.strikes("old-version-answers") ? "2.13.0" : droplet.disk.software;
        return { ok: true, status: 200, version: version ?? "", ms: 5, userMessage: "It answers." };
      }),
    variablesInEffect: (url, variables) =>
      process.call(() => {
        const inEffect = answering(url)?.disk.environment?.variables;
        if (inEffect === undefined) return "It doesn't answer.";
        const wrong = variables.filter(({ name, value }) => inEffect[name] !== value);
        return wrong.length === 0 ? undefined : "It doesn't work with the new variables yet.";
      }),
  });

  return { runs, answering, post, probeFor };
}

export type Intranets = ReturnType<typeof createIntranets>;
