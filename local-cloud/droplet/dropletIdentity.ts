import { readFile, writeFile } from "node:fs/promises";

type Identity = { root: string; address: string };

/**
 * A disk made from a snapshot names, in units and environment files, the folder and the address of the droplet
 * it was taken of; a real server's disk would find itself at "/" and its address from the network. The
 * disk remembers who it was (`etc/identities`, in the current folder), and what it says is read as of today.
 */
export async function ownIdentity(now: Identity): Promise<(text: string) => string> {
  const file = "etc/identities";
  const lines = (await readFile(file, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
  const own = `${now.address} ${now.root}`;
  const former = [...new Set(lines)].filter((line) => line !== own);
  await writeFile(file, [...former, own, ""].join("\n"));
  const replacements = former.flatMap((line) => {
    const [address = "", ...rest] = line.split(" ");
    return [
      [new RegExp(`${escaped(rest.join(" "))}(?=/|$)`, "g"), now.root] as const,
      [new RegExp(`(?<![\\d.])${escaped(address)}(?![\\d]|\\.\\d)`, "g"), now.address] as const,
    ];
  });
  // As a function: a "$" in a folder's name must not mean anything.
  return (text) => replacements.reduce((moved, [from, to]) => moved.replace(from, () => to), text);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
