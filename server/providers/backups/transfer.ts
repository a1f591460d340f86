import { readFile } from "node:fs/promises";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Client, type ClientChannel } from "ssh2";
import { ProviderError } from "#server/providers/errors.ts";
import type { BackupStore, Stored } from "./backups.ts";
import { digestOf } from "./digest.ts";

export type TransferHost = {
  address: string;
  port: number;
  user: string;
  /** Its pinned public key, "ssh-ed25519 AAAA…": a machine that shows another one is refused. */
  hostKey: string;
  /** Path of the private key, on this machine. */
  privateKeyFile: string;
};
type Options = { signal?: AbortSignal };

/** The way between a droplet and where backups live: streams over SSH, with no file in between. Throws ProviderError. */
export type Transfer = {
  /** Streams a file of the droplet into the store. When it cannot be read to its end nothing is stored. */
  fetchFile(
    host: TransferHost,
    path: string,
    store: BackupStore,
    key: string,
    options?: Options,
  ): Promise<Stored>;
  /** Streams an object of the store into a file of the droplet: written beside, then renamed; mode 0600. */
  sendFile(
    store: BackupStore,
    key: string,
    host: TransferHost,
    path: string,
    options?: Options,
  ): Promise<Stored>;
  /** A small text file (up to 1 MiB) of the droplet. */
  readTextFile(host: TransferHost, path: string, signal?: AbortSignal): Promise<string>;
  /** Removes files of the droplet; gone already is fine. */
  removeFiles(host: TransferHost, paths: readonly string[], signal?: AbortSignal): Promise<void>;
};

const connectMs = 20_000;
const longestText = 1024 * 1024;

/** Paths are relative to the home folder of the host's user. */
export const transfer: Transfer = {
  fetchFile: (host, path, store, key, { signal } = {}) =>
    withCommand(host, `cat -- ${quoted(path)}`, signal, async (command) => {
      // The store calls it done when the stream ends: it must not end before cat has ended well.
      const content = new PassThrough();
      content.on("error", () => undefined);
      command.channel.pipe(content, { end: false });
      let broken: unknown;
      void command.exit.then(
        () => content.end(),
        (error: unknown) => {
          broken = error;
          content.destroy(failure(error, host, path));
        },
      );
      return store.put(key, content, signal).catch((error: unknown) => {
        throw broken ?? error;
      });
    }),

  sendFile: async (store, key, host, path, { signal } = {}) => {
    const to = quoted(path);
    const command = `umask 077 && mkdir -p -- "$(dirname -- ${to})" && cat > ${to}.new && mv -f -- ${to}.new ${to}`;
    return withCommand(host, command, signal, async ({ channel, exit }) => {
      channel.resume();
      const { through, result } = digestOf();
      const content = await store.get(key, signal);
      await Promise.all([pipeline(content, through, channel), exit]);
      return result();
    });
  },

  readTextFile: (host, path, signal) =>
    withCommand(host, `head -c ${longestText + 1} -- ${quoted(path)}`, signal, async ({ channel, exit }) => {
      const [content] = await Promise.all([textOf(channel), exit]);
      if (content.length > longestText)
        throw new ProviderError({
          userMessage: "A file on the droplet is much larger than it should be.",
          detail: `${path} is larger than 1 MiB`,
          retryable: false,
        });
      return content;
    }),

  removeFiles: (host, paths, signal) =>
    withCommand(host, `rm -f -- ${paths.map(quoted).join(" ")}`, signal, async ({ channel, exit }) => {
      channel.resume();
      await exit;
    }),
};

const quoted = (path: string) => `'${path.replaceAll("'", `'\\''`)}'`;

type Command = { channel: ClientChannel; exit: Promise<void> };

/** Runs one command on the droplet; the connection ends with what is done about it. */
async function withCommand<Result>(
  host: TransferHost,
  command: string,
  signal: AbortSignal | undefined,
  use: (command: Command) => Promise<Result>,
): Promise<Result> {
  signal?.throwIfAborted();
  const client = new Client();
  const stop = () => client.destroy();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await connected(client, host);
    const begun = await new Promise<Command>((resolve, reject) => {
      client.exec(command, (error, channel) => {
        if (error !== undefined) return reject(error);
        // At once: the status of a quick command is in the same packet.
        const exit = exitOf(client, channel);
        exit.catch(() => undefined);
        resolve({ channel, exit });
      });
    });
    return await use(begun);
  } catch (error) {
    signal?.throwIfAborted();
    throw failure(error, host, command);
  } finally {
    signal?.removeEventListener("abort", stop);
    client.destroy();
  }
}

async function connected(client: Client, host: TransferHost): Promise<void> {
  const privateKey = await readFile(host.privateKeyFile);
  const pinned = Buffer.from(host.hostKey.split(" ")[1] ?? "", "base64");
  await new Promise<void>((resolve, reject) => {
    let isStranger = false;
    client.once("ready", resolve);
    client.once("error", (error) => reject(isStranger ? strangerAt(host) : error));
    client.once("close", () =>
      reject(isStranger ? strangerAt(host) : new Error("The connection was closed.")),
    );
    client.connect({
      host: host.address,
      port: host.port,
      username: host.user,
      privateKey,
      readyTimeout: connectMs,
      keepaliveInterval: 15_000,
      keepaliveCountMax: 4,
      hostVerifier: (key: Buffer) => {
        isStranger = !key.equals(pinned);
        return !isStranger;
      },
    });
  });
  client.on("error", () => undefined);
}

const strangerAt = ({ address }: TransferHost) =>
  new ProviderError({
    userMessage:
      "Another machine answers at the droplet's address: its host key has changed. Nothing was sent there.",
    detail: `${address} shows a host key that is not pinned`,
    retryable: false,
  });

/**
 * Resolves when the command has ended well and all it wrote has been read; what it wrote to its error output is the
 * detail when not. Its status may come before the last of its output, so that only the channel's end counts.
 */
function exitOf(client: Client, channel: ClientChannel): Promise<void> {
  let said = "";
  let status: number | string | undefined;
  channel.stderr.setEncoding("utf8").on("data", (part: string) => {
    said = (said + part).slice(-2000);
  });
  channel.once("exit", (code: number | null, signal?: string) => {
    status = code ?? signal;
  });
  return new Promise((resolve, reject) => {
    const over = () => {
      if (status === 0) resolve();
      else if (status === undefined) reject(new Error("The connection broke."));
      else reject(new CommandFailed(`exited with ${status}: ${said.trim()}`));
    };
    channel.once("close", over);
    client.once("close", over);
  });
}

class CommandFailed extends Error {}

async function textOf(stream: Readable): Promise<string> {
  let text = "";
  stream.setEncoding("utf8");
  for await (const part of stream) text += part;
  return text;
}

function failure(error: unknown, { address }: TransferHost, command: string): ProviderError {
  if (error instanceof ProviderError) return error;
  const detail = `${address}: ${command}: ${error instanceof Error ? error.message : String(error)}`;
  if (error instanceof CommandFailed) {
    const isMissing = /No such file/i.test(error.message);
    const isFull = /No space left/i.test(error.message);
    return new ProviderError({
      userMessage: isMissing
        ? "The dump is no longer on the droplet. Start the backup again."
        : isFull
          ? "The droplet's disk is full. Free up some space or resize it, then try again."
          : "The droplet couldn't hand over its data.",
      detail,
      retryable: !isMissing && !isFull,
    });
  }
  return new ProviderError({
    userMessage: "The connection to the droplet broke.",
    detail,
    retryable: true,
    cause: error,
  });
}
