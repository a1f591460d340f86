/** Colours and other instructions to a terminal: the log is monochrome, so they are taken out. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what such an instruction begins with
const sequence = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

/** The line as it is shown: without a terminal's instructions, and without the stars that fill Ansible's headings. */
export const plain = (line: string): string =>
  line
    .replaceAll(sequence, "")
    .replaceAll("\r", "")
    .replace(/ \*{3,}$/, "");

/** How a line of Ansible's output is set: headings stand out, results step back. */
export function weight(line: string): "heading" | "result" | "text" {
  if (/^(TASK|PLAY|RUNNING HANDLER) /.test(line)) return "heading";
  if (/^(ok|skipping|included): /.test(line)) return "result";
  return "text";
}
