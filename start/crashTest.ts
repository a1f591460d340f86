import { runWithAnsible } from "./runWithAnsible.ts";

await runWithAnsible("crash-test/crashTest.ts");
