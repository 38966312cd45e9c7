/** Connections as Node makes them, to a server on this machine: the name resolved once, the checked address used. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { failureOf, type LocalServer, serve, textOf } from "./servers.js";

let server: LocalServer;
beforeAll(async () => {
  server = await serve(({ headers, method, url }, response) =>
    response.end(JSON.stringify({ headers, method, url })),
  );
});
afterAll(() => server.close());

test("the connection goes to the address that was checked, under the host's name", async () => {
  const asked: string[] = [];
  const resolve = async (host: string) => {
    asked.push(host);
    return ["127.0.0.1"];
  };
  // No resolver knows this name, so that a second look-up would fail.
  const url = `http://Images.Test:${server.port}/a%20b.png?size=3#part`;
  const seen = JSON.parse(await textOf(url, { resolve, allowPrivateAddresses: true }));
  expect(seen).toEqual({
    method: "GET",
    url: "/a%20b.png?size=3",
    headers: {
      host: `images.test:${server.port}`,
      "accept-encoding": "identity",
      "user-agent": "openflamingo",
      connection: "close",
    },
  });
  expect(asked).toEqual(["images.test"]);
});

test("of several addresses one where nobody listens does no harm", async () => {
  const resolve = async () => ["127.0.0.9", "127.0.0.1"];
  const url = `http://images.test:${server.port}/`;
  expect(await textOf(url, { resolve, allowPrivateAddresses: true })).toContain("images.test");
});

test("the system's resolver is the usual one", async () => {
  const url = `http://localhost:${server.port}/`;
  expect(await textOf(url, { allowPrivateAddresses: true })).toContain(`localhost:${server.port}`);
});

test("TLS asks for the certificate of the name, not of the address", async () => {
  const hellos: string[] = [];
  const listener = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (hello) => {
      hellos.push(hello.toString("latin1"));
      socket.destroy();
    });
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const resolve = async () => ["127.0.0.1"];
  const error = await failureOf(`https://images.test:${port}/`, { resolve, allowPrivateAddresses: true });
  expect(error.message).toMatch(/^https:\/\/images\.test:\d+\/: cannot be fetched \(E[A-Z]+\)$/);
  expect(hellos).toHaveLength(1);
  expect(hellos[0]).toContain("images.test");
  listener.close();
});

test("a name that is not known, and one without an address, are reported without the resolver's words", async () => {
  const unknown = async () => {
    throw Object.assign(new Error("secret of the resolver"), { code: "ENOTFOUND" });
  };
  const error = await failureOf("http://images.test/", { resolve: unknown });
  expect(error).toMatchObject({
    code: "network",
    message: "http://images.test/: the host's name cannot be resolved (ENOTFOUND)",
  });
  expect(error.all).not.toContain("secret");
  expect((await failureOf("http://images.test/", { resolve: async () => [] })).message).toBe(
    "http://images.test/: the host's name has no address",
  );
});

test.each(["ftp:", "file:", "data:", "ws:", "blob:http:", "javascript:"])(
  "%s is not fetched",
  async (scheme) => {
    const error = await failureOf(`${scheme}//images.test/a.png`);
    const [shown] = scheme.split(":");
    expect(error).toMatchObject({
      code: "network",
      message: `${shown}:…: only http: and https: are fetched`,
    });
  },
);
