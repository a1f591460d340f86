import { describe, expect, it } from "vitest";
import { playbookCommand, runFolder } from "./command.ts";
import type { PlaybookRun } from "./playbooks.ts";

const run: PlaybookRun = {
  key: "op-1.provision",
  playbook: "provision",
  host: {
    address: "127.77.0.1",
    port: 4022,
    user: "root",
    hostKeys: ["ssh-ed25519 AAAAC3Nz"],
    privateKeyFile: "/data/id_ed25519",
  },
  vars: {
    company: "Müller & {{ 7 * 7 }}",
    slug: "mueller",
    url: "https://mueller.intranet.io",
    version: "2.14.0",
    runtime: "local",
    releases_url: "http://127.0.0.1:4010/releases",
    environment_variables: { ADMIN_KEY: 'a"b\n$(id)' },
    web_port: 8080,
    contact_email: "joe@example.com",
  },
};
const options = {
  runsDir: "/data/runs",
  ansibleDir: "/app/ansible",
  path: "/usr/bin:/bin",
  home: "/home/joe",
};

describe("playbookCommand", () => {
  it("is, word for word", () => {
    expect(playbookCommand(run, options)).toEqual({
      file: "/bin/sh",
      args: [
        "-c",
        'ulimit -n 4096 2>/dev/null; mkdir "$0/began" 2>/dev/null || exit 75; [ -e "$0/cancelled" ] && exit 75; exec "$@"',
        "/data/runs/op-1.provision",
        "ansible-runner",
        "start",
        "/data/runs/op-1.provision",
        "--ident",
        "run",
        "--playbook",
        "provision.yml",
      ],
      env: {
        PATH: "/usr/bin:/bin",
        HOME: "/home/joe",
        LANG: "C.UTF-8",
        ANSIBLE_CONFIG: "/app/ansible/ansible.cfg",
        ANSIBLE_NOCOWS: "1",
        ANSIBLE_FORCE_COLOR: "1",
        ANSIBLE_HOST_KEY_CHECKING: "True",
        ANSIBLE_HOME: "/data/runs/op-1.provision/home",
        ANSIBLE_LOCAL_TEMP: "/data/runs/op-1.provision/tmp",
        ANSIBLE_INVENTORY_ENABLED: "yaml",
        ANSIBLE_SSH_CONTROL_PATH_DIR: "/data/runs/op-1.provision/cp",
      },
      cwd: "/data/runs/op-1.provision",
      folders: [
        "env",
        "inventory",
        "tmp",
        "home",
        "cp",
        "artifacts",
        "artifacts/run",
        "artifacts/run/job_events",
      ],
      files: [
        {
          path: "inventory/hosts.json",
          content: `${JSON.stringify(
            {
              all: {
                hosts: {
                  droplet: {
                    ansible_host: "127.77.0.1",
                    ansible_port: 4022,
                    ansible_user: "root",
                    ansible_ssh_private_key_file: "/data/id_ed25519",
                    ansible_python_interpreter: "/usr/bin/python3",
                    machine_timeout: 60,
                    ansible_ssh_common_args:
                      "-F /dev/null -o 'UserKnownHostsFile=\"/data/runs/op-1.provision/known_hosts\"' " +
                      "-o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes " +
                      "-o IdentitiesOnly=yes -o IdentityAgent=none",
                  },
                },
              },
            },
            undefined,
            2,
          )}\n`,
        },
        { path: "known_hosts", content: "[127.77.0.1]:4022 ssh-ed25519 AAAAC3Nz\n" },
        { path: "env/settings", content: '{"job_timeout":1800}\n' },
        {
          path: "env/extravars",
          content: [
            "!unsafe {",
            '  "company": "Müller & {{ 7 * 7 }}",',
            '  "slug": "mueller",',
            '  "url": "https://mueller.intranet.io",',
            '  "version": "2.14.0",',
            '  "runtime": "local",',
            '  "releases_url": "http://127.0.0.1:4010/releases",',
            '  "environment_variables": !unsafe {"ADMIN_KEY": "a\\"b\\n$(id)"},',
            '  "web_port": 8080,',
            '  "contact_email": "joe@example.com"',
            "}",
            "",
          ].join("\n"),
        },
        { path: "run.json", content: '{"playbook":"provision","runtime":"local"}\n' },
      ],
      links: [{ path: "project", target: "/app/ansible" }],
    });
  });

  it("takes Ansible from a folder of its own", () => {
    const command = playbookCommand(run, { ...options, binDir: "/venv/bin" });
    expect(command.args[3]).toBe("/venv/bin/ansible-runner");
    expect(command.env.PATH).toBe("/venv/bin:/usr/bin:/bin");
  });

  it("keeps secrets out of arguments and environment", () => {
    const { args, env } = playbookCommand(run, options);
    expect(JSON.stringify([args, env])).not.toContain("$(id)");
  });

  it("shares no connection when the folder's path is too long for a socket", () => {
    const { env } = playbookCommand(run, { ...options, runsDir: `/${"long/".repeat(20)}runs` });
    expect(env.ANSIBLE_SSH_CONTROL_PATH_DIR).toBeUndefined();
    expect(env.ANSIBLE_SSH_ARGS).toContain("ControlMaster=no");
  });

  it("uses the plain address in known_hosts on port 22", () => {
    const { files } = playbookCommand({ ...run, host: { ...run.host, port: 22 } }, options);
    expect(files.find(({ path }) => path === "known_hosts")?.content).toBe(
      "127.77.0.1 ssh-ed25519 AAAAC3Nz\n",
    );
  });

  it.each([
    { address: "-oProxyCommand=id" },
    { address: "{{ evil }}" },
    { user: "root -o X" },
    { port: 0 },
    { hostKeys: [] },
    { hostKeys: ["ssh-ed25519 AAAA\nother ssh-rsa BBBB"] },
    { privateKeyFile: "id" },
  ])("refuses host details %j", (host) => {
    expect(() => playbookCommand({ ...run, host: { ...run.host, ...host } }, options)).toThrow(
      /droplet's details are incomplete/,
    );
  });

  it.each(["", "..", "../x", "a/b", ".hidden", "a b"])("refuses the key %j", (key) => {
    expect(() => runFolder(key, options)).toThrow(/name that can't be used/);
  });
});
