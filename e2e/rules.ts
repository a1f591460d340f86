import { join } from "node:path";
import { type APIRequestContext, expect } from "playwright/test";
import { openDatabase } from "#db/client.ts";
import { testAuthorization } from "#local-cloud/testing/testToken.ts";
import { brokenRules } from "#server/operations/testing/testInvariants.ts";
import { createFolderStore } from "#server/providers/backups/folderStore.ts";
import { cloudUrl } from "./world.ts";

/** What SQLite says and what the cloud really has agree, once nothing is under way any more. */
export async function expectRulesToHold(request: APIRequestContext): Promise<void> {
  const dataDir = process.env.E2E_DATA_DIR ?? "";
  const { db, connection } = openDatabase(join(dataDir, "spawner.sqlite"));
  const store = createFolderStore(join(dataDir, "backups"));
  const world = {
    db,
    ask: async (path: string) => {
      const answer = await request.get(`${cloudUrl}/v2/${path}`, { headers: testAuthorization });
      return answer.json();
    },
    isStored: async (key: string) => (await store.find(key)) !== undefined,
  };
  await expect.poll(() => brokenRules(world), { timeout: 60_000 }).toEqual([]);
  connection.close();
}
