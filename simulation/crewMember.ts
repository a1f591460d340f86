import { liveAll, orderSchema } from "./batch.ts";
import { createTemplate } from "./template.ts";

/** Process entry: lives the lives of the seeds it is sent, and sends back what came of them. */
const { template, env } = createTemplate();
process.on("message", async (message) => {
  process.send?.(await liveAll(orderSchema.parse(message), template, env));
});
