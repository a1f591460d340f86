import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { playbookNames } from "./playbooks.ts";
import { countListedTasks, createTaskCounter } from "./taskCount.ts";
import { findAnsible } from "./testing/testDroplet.ts";
import { variablesAsYaml } from "./variables.ts";

const ansible = findAnsible();
const title = ansible.missing === undefined ? "ansible/" : `ansible/ (skipped: ${ansible.missing})`;
const ansibleDir = resolve("ansible");

function playbook(...args: string[]): string {
  return execFileSync("ansible-playbook", ["-i", "droplet,", ...args], {
    cwd: ansibleDir,
    env: { ...process.env, ANSIBLE_CONFIG: join(ansibleDir, "ansible.cfg"), LANG: "C.UTF-8" },
    encoding: "utf8",
  });
}

describe.skipIf(ansible.missing !== undefined)(title, { timeout: 60_000 }, () => {
  it.each(["local", "server"])(
    "has a sound playbook for runtime %s, all of whose tasks have names",
    (runtime) => {
      for (const name of playbookNames) {
        playbook("-e", `runtime=${runtime}`, "--syntax-check", `${name}.yml`);
        const tasks = playbook("-e", `runtime=${runtime}`, "--list-tasks", `${name}.yml`);
        expect(tasks).not.toMatch(/ansible\.builtin/);
      }
      const listing = playbook("-e", `runtime=${runtime}`, "--list-tasks", "provision.yml");
      expect(listing).not.toMatch(/ansible\.builtin/);
      expect(listing).toContain("Write the environment file");
      expect(listing).toContain("Start the intranet");
    },
  );

  it("counts the tasks of the runtime that is run", async () => {
    const count = createTaskCounter({ runsDir: "/nowhere", ansibleDir, path: ansible.path });
    expect(await count({ playbook: "provision", runtime: "local" })).toBe(10);
    expect(await count({ playbook: "provision", runtime: "server" })).toBe(14);
    expect(await count({ playbook: "reconfigure", runtime: "local" })).toBe(7);
    expect(await count({ playbook: "backup", runtime: "local" })).toBe(5);
  });

  it("writes a server's compose file as data", async () => {
    const folder = await mkdtemp(join(tmpdir(), "spawner-compose-"));
    const values = {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's variable, to be kept as it is
      DOLLAR: "$HOME ${HOME} $$",
      TEMPLATE: "{{ lookup('pipe', 'id') }}",
      QUOTES: `"'\\`,
      LINES: "a\r\nb\n",
      ODD: "🎉 \u2028 \u2029 \u0085 \ufeff",
      PORT: "1",
    };
    const wrapper = [
      {
        hosts: "all",
        connection: "local",
        gather_facts: false,
        vars: { ansible_python_interpreter: "/usr/bin/python3", compose_dir: "/etc/intranet" },
        tasks: [
          {
            "ansible.builtin.template": {
              src: join(ansibleDir, "roles/intranet_server/templates/compose.yml.j2"),
              dest: join(folder, "compose.yml"),
            },
          },
        ],
      },
    ];
    await writeFile(join(folder, "wrapper.json"), JSON.stringify(wrapper));
    await writeFile(
      join(folder, "vars.yml"),
      variablesAsYaml({
        company: "{{ 7 * 7 }} & Co.",
        url: "https://acme.intranet.io",
        version: "2.14.0",
        web_port: 8080,
        image: "registry.io/intranet",
        database_image: "mongo:7",
        web_server_image: "caddy:2",
        intranet_data_dir: "/var/lib/intranet",
        environment_variables: values,
      }),
    );
    playbook("-e", `@${join(folder, "vars.yml")}`, join(folder, "wrapper.json"));
    // Read by the YAML parser of Ansible's Python, as Compose would, then "$$" is "$".
    const parsed = execFileSync(
      "/usr/bin/python3",
      ["-c", "import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin.buffer.read())))"],
      { input: await readFile(join(folder, "compose.yml")), encoding: "utf8" },
    );
    await rm(folder, { recursive: true });
    const { services } = JSON.parse(parsed.replaceAll("$$", "$"));
    expect(services.intranet.environment).toEqual({
      ...values,
      COMPANY: "{{ 7 * 7 }} & Co.",
      DATA_DIR: "/data",
      NODE_ENV: "production",
      ROOT_URL: "https://acme.intranet.io",
      PORT: "3000",
      MONGO_URL: "mongodb://database:27017/intranet",
    });
    expect(services.intranet.image).toBe("registry.io/intranet:2.14.0");
    expect(services.intranet.ports).toEqual(["127.0.0.1:8080:3000"]);
    expect(services.database.volumes).toEqual(["/var/lib/intranet/database:/data/db"]);
  });
});

describe("countListedTasks", () => {
  it("counts tasks, not plays and headings", () => {
    const listing =
      "\nplaybook: provision.yml\n\n  play #1 (droplet): Provision\tTAGS: []\n    tasks:\n" +
      "      base : Wait\tTAGS: []\n      answer : Wait, too\tTAGS: [a]\n";
    expect(countListedTasks(listing)).toBe(2);
  });
});
