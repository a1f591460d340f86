import { z } from "zod";

/**
 * A process that keeps event streams open and reads them, as that many pages elsewhere would: `node streams.ts` with
 * a JSON argument. Says "open" once each has begun, and "arrived <n>" for every further thousand marks that came.
 */
const { url, cookie, count } = z
  .object({ url: z.string(), cookie: z.string(), count: z.number() })
  .parse(JSON.parse(process.argv[2] ?? ""));

let open = 0;
let arrived = 0;

async function follow(): Promise<void> {
  const response = await fetch(url, { headers: { cookie, accept: "text/event-stream" } });
  if (response.body === null) throw new Error("The stream has no body.");
  let isOpen = false;
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    if (!isOpen) open += 1;
    if (!isOpen && open === count) process.stdout.write("open\n");
    isOpen = true;
    const text = rest + decoder.decode(chunk, { stream: true });
    const end = text.lastIndexOf("\n") + 1;
    rest = text.slice(end);
    arrived += text.slice(0, end).match(/bench-line-/g)?.length ?? 0;
  }
}

for (let stream = 0; stream < count; stream += 1) void follow();
process.on("SIGTERM", () => {
  process.stdout.write(`arrived ${arrived}\n`, () => process.exit(0));
});
