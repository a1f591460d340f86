import { runSpawner } from "./run.ts";

await runSpawner("start");
