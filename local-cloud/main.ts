import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startLocalCloud } from "./cloud.ts";
import { isolationMessage } from "./host/isolation.ts";
import { optionsFromEnvironment } from "./options.ts";

export { type LocalCloud, startLocalCloud } from "./cloud.ts";

async function main(): Promise<void> {
  const cloud = await startLocalCloud(optionsFromEnvironment(process.env));
  const { apiUrl, edgePort, isolation } = cloud;
  console.log(`Local cloud: API ${apiUrl}, sites on port ${edgePort}. ${isolationMessage[isolation]}`);
  const end = (): void => {
    cloud.close().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error("The local cloud didn't shut down cleanly:", error);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
}
