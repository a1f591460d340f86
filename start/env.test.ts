import { expect, test } from "vitest";
import { readStartEnv } from "./env.ts";

test("the dashboard listens on loopback unless HOST says otherwise", () => {
  expect(readStartEnv({}).host).toBe("127.0.0.1");
  expect(readStartEnv({ HOST: "" }).host).toBe("127.0.0.1");
  for (const HOST of ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
    expect(readStartEnv({ HOST }).host).toBe(HOST);
});

test.each(["0.0.0.0", "::", "192.0.2.7", "spawner.example.org", "127.0.0.1.example.org"])(
  "on %s it wants https, or to be told that http will do",
  (HOST) => {
    const sentence = /HOST: other machines can reach this address.*NEXTAUTH_URL.*ALLOW_HTTP=1/;
    expect(() => readStartEnv({ HOST })).toThrow(sentence);
    expect(() => readStartEnv({ HOST, NEXTAUTH_URL: "http://spawner.example.org" })).toThrow(sentence);
    expect(() => readStartEnv({ HOST, ALLOW_HTTP: "0" })).toThrow(sentence);
    const behindProxy = { HOST, NEXTAUTH_URL: "https://spawner.example.org" };
    expect(readStartEnv(behindProxy)).toMatchObject({ host: HOST, isExposed: false });
    expect(readStartEnv({ HOST, ALLOW_HTTP: "1" })).toMatchObject({ host: HOST, isExposed: true });
  },
);
