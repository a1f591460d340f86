import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { withSteadyPlans } from "./steadyPlans.ts";

const open = () => withSteadyPlans(new Database(":memory:"));

test("a plus stands before each parameter, and before no question mark of a text or a name", () => {
  const { source } = open().prepare(`select ? as "why?", 'it''s?' as text where 1 in (?, ?1)`);
  expect(source).toBe(`select +? as "why?", 'it''s?' as text where 1 in (+?, +?1)`);
});

test.each([["7"], ["+7"], ["text"], [7], [7.5], [12345678901234n], [null], [Buffer.from([1, 2])]])(
  "%s is stored, found and given back as it is",
  (value) => {
    const connection = open();
    connection.exec("create table kept (as_text text, as_number integer, as_it_is)");
    connection.prepare("insert into kept values (?, ?, ?)").run(value, value, value);
    const plain = new Database(":memory:");
    plain.exec("create table kept (as_text text, as_number integer, as_it_is)");
    plain.prepare("insert into kept values (?, ?, ?)").run(value, value, value);
    const find = "select * from kept where as_text is ? and as_number is ? and as_it_is is ?";
    const found = connection.prepare(find).all(value, value, value);
    expect(found).toHaveLength(1);
    expect(found).toEqual(plain.prepare(find).all(value, value, value));
  },
);
