import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type TestS3 = {
  endpoint: string;
  bucket: string;
  accessKeyId: string;
  objects: ReadonlyMap<string, Buffer>;
  /** Uploads in parts that were begun and neither completed nor aborted. */
  pendingUploads: () => number;
  /** Begins an upload in parts, as a process that was killed afterwards would have; `at` in Unix ms. */
  beginUpload: (key: string, at: number) => void;
  /** The next requests of this method are answered with this error; with status 0 their connection breaks. */
  fail: (method: string, code: string, status: number, times: number) => void;
  /** From now on requests of these methods are taken and not answered; of a GET half is. None: it speaks again. */
  silence: (...methods: string[]) => void;
  close: () => Promise<void>;
};

/** For tests: the part of S3 that the product speaks, path style, with everything in memory. */
export async function startTestS3(): Promise<TestS3> {
  const bucket = "backups";
  const accessKeyId = "test-key-id";
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, { key: string; begunAt: number; parts: Map<number, Buffer> }>();
  let silent: string[] = [];
  let failing: { method: string; code: string; status: number; times: number } | undefined;

  const refuse = (response: ServerResponse, status: number, code: string) => {
    response.writeHead(status, { "content-type": "application/xml" });
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`);
  };
  const etag = (content: Buffer) => `"${createHash("md5").update(content).digest("hex")}"`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://s3");
    const body = await bodyOf(request);
    const { method = "GET" } = request;
    if (method !== "GET" && silent.includes(method)) return;
    if (failing?.method === method && failing.times > 0) {
      failing.times -= 1;
      if (failing.status === 0) return void response.destroy();
      return refuse(response, failing.status, failing.code);
    }
    if (!request.headers.authorization?.includes(`Credential=${accessKeyId}/`))
      return refuse(response, 403, "InvalidAccessKeyId");
    const [, asked, ...rest] = decodeURIComponent(url.pathname).split("/");
    if (asked !== bucket) return refuse(response, 404, "NoSuchBucket");
    const key = rest.join("/");
    const upload = url.searchParams.get("uploadId");
    const xml = (text: string) => {
      response.writeHead(200, { "content-type": "application/xml" });
      response.end(`<?xml version="1.0"?>${text}`);
    };
    if (method === "POST" && url.searchParams.has("uploads")) {
      const id = randomUUID();
      uploads.set(id, { key, begunAt: Date.now(), parts: new Map() });
      return xml(
        `<InitiateMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${key}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      );
    }
    if (method === "PUT" && upload !== null) {
      uploads.get(upload)?.parts.set(Number(url.searchParams.get("partNumber")), body);
      response.writeHead(200, { etag: etag(body) });
      response.end();
      return;
    }
    if (method === "POST" && upload !== null) {
      const parts = [...(uploads.get(upload)?.parts ?? [])].sort(([a], [b]) => a - b).map(([, part]) => part);
      objects.set(key, Buffer.concat(parts));
      uploads.delete(upload);
      return xml(
        `<CompleteMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${key}</Key><ETag>"x"</ETag></CompleteMultipartUploadResult>`,
      );
    }
    if (method === "PUT") {
      objects.set(key, body);
      response.writeHead(200, { etag: etag(body) });
      response.end();
      return;
    }
    if (method === "DELETE") {
      if (upload === null) objects.delete(key);
      else uploads.delete(upload);
      response.writeHead(204);
      response.end();
      return;
    }
    if (method === "GET" && url.searchParams.has("uploads")) {
      // One a page, so that pages are followed.
      const after = url.searchParams.get("upload-id-marker");
      const ids = [...uploads.keys()];
      const id = ids[after === null ? 0 : ids.indexOf(after) + 1];
      const one = id === undefined ? undefined : uploads.get(id);
      const listed =
        one === undefined
          ? ""
          : `<Upload><Key>${one.key}</Key><UploadId>${id}</UploadId><Initiated>${new Date(one.begunAt).toISOString()}</Initiated></Upload>`;
      const isMore = id !== undefined && id !== ids.at(-1);
      return xml(
        `<ListMultipartUploadsResult><Bucket>${bucket}</Bucket>${listed}<IsTruncated>${isMore}</IsTruncated>${isMore ? `<NextKeyMarker>${one?.key}</NextKeyMarker><NextUploadIdMarker>${id}</NextUploadIdMarker>` : ""}</ListMultipartUploadsResult>`,
      );
    }
    const found = objects.get(key);
    if (found === undefined) {
      if (method !== "HEAD") return refuse(response, 404, "NoSuchKey");
      response.writeHead(404);
      response.end();
      return;
    }
    response.writeHead(200, { "content-length": found.length, "last-modified": new Date().toUTCString() });
    if (method === "GET" && silent.includes(method)) {
      response.write(found.subarray(0, found.length / 2));
      return;
    }
    response.end(method === "HEAD" ? undefined : found);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket,
    accessKeyId,
    objects,
    pendingUploads: () => uploads.size,
    beginUpload: (key, at) => void uploads.set(randomUUID(), { key, begunAt: at, parts: new Map() }),
    silence: (...methods) => {
      silent = methods;
    },
    fail: (method, code, status, times) => {
      failing = { method, code, status, times };
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}
