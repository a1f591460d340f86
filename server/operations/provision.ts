import { explainFailure } from "../providers/playbooks/explainFailure.ts";
import { done, type LogEntry, later, type Outcome, type StepContext, StepFailure } from "./definition.ts";

type Facts = { provisionCursor: number; provisionLost: number };
type Context = StepContext<Facts>;

const runKey = ({ operation, facts }: Context) =>
  `${operation.id}-${operation.round}-${facts.provisionLost ?? 0}`;

/** How often a run that vanished (a reboot of this machine) is begun anew before Joe is asked. */
const lostRunsAllowed = 2;

/** The step that turns a bare droplet into an intranet: begins the playbook once, then reads on from its cursor. */
export const provision = {
  async run(context: Context): Promise<Outcome<Facts>> {
    const { instance, providers, site, variables, url } = context;
    const { address, hostKey } = instance;
    if (address === null || hostKey === null)
      throw new StepFailure("The droplet has no address yet.", "address or host key is not known");
    const key = runKey(context);
    const cursor = context.facts.provisionCursor ?? 0;
    if (cursor === 0)
      await providers.playbooks.ensureRun({
        key,
        playbook: "provision",
        host: {
          address,
          port: site.sshPort,
          user: "root",
          hostKeys: [hostKey],
          privateKeyFile: site.privateKeyFile,
        },
        vars: {
          company: instance.company,
          slug: instance.slug,
          url,
          version: instance.version,
          runtime: site.runtime,
          releases_url: site.releasesUrl,
          web_port: site.webPort,
          contact_email: instance.contactEmail,
          environment_variables: Object.fromEntries(variables.map(({ name, value }) => [name, value])),
        },
      });
    const secrets = variables.filter((variable) => variable.secret).map((variable) => variable.value);
    const read = await providers.playbooks.readRun(key, cursor, secrets);
    const log: LogEntry[] = read.events.map((event) => ({
      at: event.at,
      text: event.line,
      ...(event.failed === true ? { failed: true } : {}),
    }));
    const task = read.events.findLast((event) => event.task !== undefined)?.task;
    const news = {
      log,
      facts: { provisionCursor: read.cursor },
      ...(task === undefined ? {} : { progress: { index: task.index, total: task.total, label: task.name } }),
    };
    if (read.state === "running") return later(news);
    if (read.state === "succeeded") {
      await providers.playbooks.forgetRun(key);
      return done(news);
    }
    const lost = context.facts.provisionLost ?? 0;
    if (read.state === "lost" && lost < lostRunsAllowed)
      return later({
        facts: { provisionCursor: 0, provisionLost: lost + 1 },
        log: [...log, { at: context.now(), text: "The run has vanished from this machine. It begins anew." }],
      });
    const { sentence, detail } =
      read.state === "lost"
        ? { sentence: "Ansible vanished from this machine three times.", detail: "no process, no result" }
        : read.state === "cancelled"
          ? { sentence: "Ansible was stopped.", detail: "The run was cancelled from outside." }
          : explainFailure((await providers.playbooks.readRun(key, 0, secrets)).events);
    const failure = new StepFailure(sentence, detail);
    failure.log.push(...log);
    throw failure;
  },

  async stop(context: Context): Promise<void> {
    await context.providers.playbooks.cancelRun(runKey(context));
    await context.providers.playbooks.forgetRun(runKey(context));
  },
};
