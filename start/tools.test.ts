import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./env.ts";
import { freshFolder } from "./testing/testProcesses.ts";

/** A machine: a folder of commands, and whether they are run as root. */
function machine(commands: Record<string, string>) {
  const folder = freshFolder();
  const bin = join(folder, "bin");
  mkdirSync(bin);
  for (const name of ["sh", "mkdir", "cp", "chmod"]) symlinkSync(`/bin/${name}`, join(bin, name));
  for (const [name, script] of Object.entries(commands)) add(join(bin, name), script);
  return { folder, bin };
}
function add(file: string, script: string): void {
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

/** Looks for Ansible on that machine, in a process of its own. */
function ensureAnsible({ folder, bin }: ReturnType<typeof machine>, { asRoot = false } = {}) {
  const script = `
    process.getuid = () => ${asRoot ? 0 : 1000};
    const { ensureAnsible } = await import(${JSON.stringify(join(root, "start/tools.ts"))});
    const { readStartEnv } = await import(${JSON.stringify(join(root, "start/env.ts"))});
    try {
      const { binDir } = await ensureAnsible(readStartEnv());
      console.log(\`found in \${binDir ?? "PATH"}\`);
    } catch (error) {
      console.log(error.message);
    }`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    env: { PATH: bin, DATA_DIR: folder, NODE_ENV: "test" },
  });
  expect(stderr).toBe("");
  return stdout;
}

const runs = "exit 0";
/** As a package would: afterwards the commands are there. */
const install = (bin: string, names: string[]) =>
  names.map((name) => `printf '#!/bin/sh\\nexit 0\\n' > ${bin}/${name}; chmod +x ${bin}/${name}`).join("\n");

test("Ansible that is there is used, and nothing is said of installing", () => {
  const there = machine({ ssh: runs, "ansible-playbook": runs, "ansible-runner": runs });
  expect(ensureAnsible(there, { asRoot: true })).toBe("found in PATH\n");
});

test.each([
  ["all of it", {}],
  ["all but ssh", { ssh: runs }],
])("as root on Debian what is missing is installed with apt-get, and it says so: %s", (_what, commands) => {
  const debian = machine(commands);
  const names = ["ssh", "ansible-playbook", "ansible-runner"];
  add(join(debian.bin, "apt-get"), install(debian.bin, names));
  expect(ensureAnsible(debian, { asRoot: true })).toMatch(
    /^ {2}installing ansible-core, python3-ansible-runner, openssh-client with apt-get \(see .*install\.log\)\nfound in PATH\n$/,
  );
});

test("without root Ansible goes into a venv of its own, and it says so", () => {
  const mac = machine({ ssh: runs });
  const venv = join(mac.folder, "venv");
  const pip = install(join(venv, "bin"), ["ansible-playbook", "ansible-runner"]).replaceAll("'", `'\\''`);
  add(
    join(mac.bin, "python3"),
    `mkdir -p ${venv}/bin; printf '%s\\n' '#!/bin/sh' '${pip}' > ${venv}/bin/pip; chmod +x ${venv}/bin/pip`,
  );
  const said = ensureAnsible(mac);
  expect(said).toContain(`  installing ansible-core and ansible-runner into ${venv}`);
  expect(said).toContain(`found in ${venv}/bin`);
});

test("what cannot be installed is named, with how to install it", () => {
  expect(ensureAnsible(machine({ ssh: runs }))).toMatch(
    /^Ansible and ansible-runner are missing .*pip install ansible-core ansible-runner.*python3 is missing/s,
  );
  expect(ensureAnsible(machine({}))).toMatch(/^The command "ssh" is missing/);
});
