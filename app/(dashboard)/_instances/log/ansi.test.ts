import { expect, test } from "vitest";
import { plain, weight } from "./ansi.ts";

test("takes out what is meant for a terminal, and nothing else", () => {
  expect(plain("\u001b[0;32mok: [acme]\u001b[0m")).toBe("ok: [acme]");
  expect(plain("\u001b]8;;http://x\u0007link\u001b]8;;\u0007")).toBe("link");
  expect(plain("TASK [base : Wait] ************")).toBe("TASK [base : Wait]");
  expect(plain("a [b] {c} é🥐")).toBe("a [b] {c} é🥐");
});

test("weighs lines", () => {
  expect(["TASK [base : x] ***", "ok: [acme]", "changed: [acme]"].map(weight)).toEqual([
    "heading",
    "result",
    "text",
  ]);
});
