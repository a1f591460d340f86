import { describe, expect, it } from "vitest";
import { belongsToRun } from "./processes.ts";

describe("belongsToRun", () => {
  const folder = "/data/ansible/runs/run-1";
  it.each([
    ["/usr/bin/python3 /usr/bin/ansible-runner start /data/ansible/runs/run-1 --ident run", true],
    ["python3 ansible-playbook -i /data/ansible/runs/run-1/inventory -e @x provision.yml", true],
    ["ssh: /data/ansible/runs/run-1/cp/0123456789 [mux]", true],
    ["ansible-runner start /data/ansible/runs/run-12 --ident run", false],
    ["ansible-runner start /data/ansible/runs/run-12 -x /data/ansible/runs/run-1", true],
    ["tail -f /data/ansible/runs/run-1/artifacts/run/stdout", false],
    ["", false],
  ])("%s", (command, expected) => {
    expect(belongsToRun(command, folder)).toBe(expected);
  });
});
