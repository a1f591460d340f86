import { runSpawner } from "./run.ts";

/** As `npm start`, with `next dev` and with a worker that starts again when its sources change. */
await runSpawner("dev");
