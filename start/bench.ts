import { runWithAnsible } from "./runWithAnsible.ts";

await runWithAnsible("bench/bench.ts");
