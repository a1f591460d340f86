import { describe, expect, it } from "vitest";
import { explainFailure } from "./explainFailure.ts";
import type { PlaybookEvent } from "./playbooks.ts";

function failed(line: string, name = "Unpack the intranet's software"): PlaybookEvent {
  return { at: 0, line, task: { index: 5, total: 10, name }, failed: true };
}
const fatal = (result: object) =>
  `\u001b[0;31mfatal: [droplet]: FAILED! => ${JSON.stringify(result)}\u001b[0m`;

describe("explainFailure", () => {
  it.each([
    [
      'UNREACHABLE! => {"msg": "Failed to connect to the host via ssh: Connection timed out"}',
      /couldn't be reached/,
    ],
    [fatal({ msg: "timed out waiting for ping module test: Connection refused" }), /couldn't be reached/],
    [fatal({ msg: "timed out waiting for ping: Host key verification failed." }), /host key has changed/],
    [
      'UNREACHABLE! => {"msg": "root@1.2.3.4: Permission denied (publickey)."}',
      /refused the Spawner's SSH key/,
    ],
    [fatal({ msg: "[Errno 28] No space left on device: '/x'" }), /disk is full/],
    [fatal({ msg: "E: Could not get lock /var/lib/dpkg/lock-frontend" }), /own updates/],
  ])("knows %s", (line, userMessage) => {
    expect(explainFailure([failed(line)]).userMessage).toMatch(userMessage);
  });

  it("names the step and keeps the message, without colours", () => {
    expect(
      explainFailure([failed(fatal({ changed: false, msg: "non-zero return code", stderr: "boom" }))]),
    ).toEqual({
      userMessage: `The step "Unpack the intranet's software" failed.`,
      detail: "non-zero return code\nboom",
    });
  });

  it("does not take a refused download for a refused connection to the droplet", () => {
    const line = fatal({ msg: "Request failed: <urlopen error [Errno 111] Connection refused>" });
    expect(explainFailure([failed(line, "Download the intranet's software")]).userMessage).toMatch(
      /couldn't be downloaded/,
    );
  });

  it("knows a run that took too long, and where it was", () => {
    const ended = { ...failed("It was stopped.", "Start the intranet"), ended: "timed-out" as const };
    expect(explainFailure([ended]).userMessage).toBe(
      'Setting up the droplet took too long and was stopped. It had reached the step "Start the intranet". Try again.',
    );
  });

  it("knows a lost run, and one that stopped before its first task", () => {
    expect(explainFailure([{ at: 0, line: "It is gone.", ended: "lost" }]).userMessage).toMatch(
      /interrupted/,
    );
    expect(explainFailure([{ at: 0, line: "It was cancelled.", ended: "cancelled" }]).userMessage).toBe(
      "Ansible was stopped.",
    );
    // A task's output must not decide.
    expect(explainFailure([failed("The run was cancelled.")]).userMessage).toMatch(/^The step/);
    // A task that failed before does not hide why it ended.
    const both = [
      failed("fatal: no", "Start the intranet"),
      { at: 1, line: "OSError: no" },
      { at: 2, line: "It is gone.", ended: "lost" as const },
    ];
    expect(explainFailure(both).detail).toBe("It is gone. OSError: no");
    const early = explainFailure([
      { at: 0, line: "ERROR! the playbook: provision.yml could not be found" },
      { at: 0, line: "" },
    ]);
    expect(early.userMessage).toMatch(/before its first step/);
    expect(early.detail).toContain("could not be found");
    expect(explainFailure([]).detail).toBe("");
  });
});
