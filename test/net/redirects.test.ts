/** Chains of redirects, on a network in which every address leads to one server and connections are written down. */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { failureOf, type LocalServer, serve, textOf, type World, worldOf } from "./servers.js";

/** What the server answers by `host/path`: a text, a redirect, or what a test does itself. */
type Page = string | { status: number; location?: string } | ((response: ServerResponse) => void);

let pages: Record<string, Page> = {};
let requests: { at: string; headers: IncomingHttpHeaders }[] = [];
let server: LocalServer;
let world: World;

beforeAll(async () => {
  server = await serve(({ headers, url }, response) => {
    const at = `${headers.host}${url}`;
    requests.push({ at, headers });
    const page = pages[at] ?? pages[at.split("?")[0]!] ?? { status: 404 };
    if (typeof page === "string") response.end(page);
    else if (typeof page === "function") page(response);
    else {
      const { status, location } = page;
      response.writeHead(status, location === undefined ? {} : { location }).end("secret of the server");
    }
  });
});
afterAll(() => server.close());
beforeEach(() => {
  requests = [];
  world = worldOf(server.port, {
    "a.test": [["93.184.216.34"]],
    "b.test": [["8.8.8.8", "2606:4700::1111"]],
    "inside.test": [["10.0.0.7"]],
    // The first time public, ever after not.
    "rebinding.test": [["1.1.1.1"], ["127.0.0.1"]],
    "half.test": [["1.1.1.1", "192.168.1.1"]],
  });
});

const found = (location?: string): Page => ({ status: 302, ...(location !== undefined && { location }) });

/** `a.test/0` leads to `a.test/1` and so on, and the last one to `end`. */
const chain = (redirects: number, end: Page): Record<string, Page> => ({
  ...Object.fromEntries(Array.from({ length: redirects }, (_, i) => [`a.test/${i}`, found(`/${i + 1}`)])),
  [`a.test/${redirects}`]: end,
});

test.each<[string, Record<string, Page>, string[]]>([
  ["to a path", { "a.test/0": found("/1"), "a.test/1": "end" }, ["a.test/0", "a.test/1"]],
  [
    "to a name beside",
    { "a.test/0": found("x/y?z=1#w"), "a.test/x/y?z=1": "end" },
    ["a.test/0", "a.test/x/y?z=1"],
  ],
  ["to a query alone", { "a.test/0": found("?n=1"), "a.test/0?n=1": "end" }, ["a.test/0", "a.test/0?n=1"]],
  [
    "to a host without a scheme",
    { "a.test/0": found("//b.test/"), "b.test/": "end" },
    ["a.test/0", "b.test/"],
  ],
  ["to another host", { "a.test/0": found("http://b.test/1"), "b.test/1": "end" }, ["a.test/0", "b.test/1"]],
  [
    "from http to https",
    { "a.test/0": found("https://a.test/1"), "a.test/1": "end" },
    ["a.test/0", "a.test/1"],
  ],
  [
    "to another port",
    { "a.test/0": found("http://a.test:8080/"), "a.test:8080/": "end" },
    ["a.test/0", "a.test:8080/"],
  ],
  [
    "to an address that is public",
    { "a.test/0": found("http://9.9.9.9/"), "9.9.9.9/": "end" },
    ["a.test/0", "9.9.9.9/"],
  ],
  [
    "to letters of UTF-8",
    { "a.test/0": found("/f%C3%B3"), "a.test/f%C3%B3": "end" },
    ["a.test/0", "a.test/f%C3%B3"],
  ],
  [
    "to raw UTF-8",
    { "a.test/0": found("/f\u00c3\u00b3"), "a.test/f%C3%B3": "end" },
    ["a.test/0", "a.test/f%C3%B3"],
  ],
  ["five times", chain(5, "end"), [0, 1, 2, 3, 4, 5].map((i) => `a.test/${i}`)],
  ...[301, 303, 307, 308].map((status): [string, Record<string, Page>, string[]] => [
    `by status ${status}`,
    { "a.test/0": { status, location: "/1" }, "a.test/1": "end" },
    ["a.test/0", "a.test/1"],
  ]),
])("a redirect %s is followed", async (_, given, visited) => {
  pages = given;
  expect(await textOf("http://a.test/0", world)).toBe("end");
  expect(requests.map(({ at }) => at)).toEqual(visited);
});

const notPublic = (kind: string) =>
  `the host's address is not public (${kind}), and only public ones are fetched`;
const to = (address: string, what: string) => `redirected to "${address}": ${what}`;

test.each<[string, Record<string, Page>, string]>([
  ["to loopback", { "a.test/0": found("http://127.0.0.1/") }, to("http://127.0.0.1/", notPublic("loopback"))],
  [
    "to an odd spelling of it",
    { "a.test/0": found("http://0x7f.1/") },
    to("http://127.0.0.1/", notPublic("loopback")),
  ],
  ["to a port of it", { "a.test/0": found("//[::1]:22/") }, to("http://[::1]:22/", notPublic("loopback"))],
  [
    "to localhost",
    { "a.test/0": found("http://localhost/") },
    to("http://localhost/", notPublic("loopback")),
  ],
  [
    "to a cloud's metadata",
    { "a.test/0": found("http://169.254.169.254/latest/meta-data/") },
    to("http://169.254.169.254/latest/meta-data/", notPublic("link-local")),
  ],
  [
    "to a mapped address",
    { "a.test/0": found("http://[::ffff:10.0.0.1]/") },
    to("http://[::ffff:a00:1]/", notPublic("IPv4 inside IPv6")),
  ],
  [
    "to a private name",
    { "a.test/0": found("http://inside.test/") },
    to("http://inside.test/", notPublic("private")),
  ],
  [
    "to a name with one private address",
    { "a.test/0": found("http://half.test/") },
    to("http://half.test/", notPublic("private")),
  ],
  [
    "there after four public ones",
    chain(4, found("http://inside.test/")),
    to("http://inside.test/", notPublic("private")),
  ],
  [
    "to ftp",
    { "a.test/0": found("ftp://a.test/") },
    'redirects to an address of "ftp:", which is not fetched',
  ],
  [
    "to a file",
    { "a.test/0": found("file:///etc/passwd") },
    'redirects to an address of "file:", which is not fetched',
  ],
  [
    "to data",
    { "a.test/0": found("data:,secret") },
    'redirects to an address of "data:", which is not fetched',
  ],
  [
    "to a script",
    { "a.test/0": found("javascript:secret()") },
    'redirects to an address of "javascript:", which is not fetched',
  ],
  ["to itself", { "a.test/0": found("/0") }, to("http://a.test/0", "redirects again, after 5 redirects")],
  [
    "in a circle of two",
    { "a.test/0": found("http://b.test/"), "b.test/": found("http://a.test/0") },
    to("http://b.test/", "redirects again, after 5 redirects"),
  ],
  ["six times", chain(6, "end"), to("http://a.test/5", "redirects again, after 5 redirects")],
  ["without a Location", { "a.test/0": found() }, "redirects without saying where to"],
  ["to what is no address", { "a.test/0": found("http://secret:x@[/") }, "redirects to a malformed address"],
  [
    "to a port that is none",
    { "a.test/0": found("http://a.test:secret/") },
    "redirects to a malformed address",
  ],
  [
    "to a zone of IPv6",
    { "a.test/0": found("http://[fe80::1%25eth0]/") },
    "redirects to a malformed address",
  ],
  [
    "with a password",
    { "a.test/0": found("http://user:secret@b.test/") },
    "redirects to an address with a user name or password",
  ],
  [
    "with a user name",
    { "a.test/0": found("//secret@a.test/") },
    "redirects to an address with a user name or password",
  ],
  ["to nothing", { "a.test/0": found("/1") }, to("http://a.test/1", "the server answers 404")],
  [
    "to a name that is not known",
    { "a.test/0": found("http://c.test/") },
    to("http://c.test/", "the host's name cannot be resolved (ENOTFOUND)"),
  ],
  [
    "to a secret place",
    { "a.test/0": found("/1?token=secret#secret") },
    to("http://a.test/1", "the server answers 404"),
  ],
  ["that is not modified", { "a.test/0": { status: 304 } }, "the server answers 304"],
  ["with a choice", { "a.test/0": { status: 300, location: "http://b.test/" } }, "the server answers 300"],
  [
    "by way of a proxy",
    { "a.test/0": { status: 305, location: "http://b.test/" } },
    "the server answers 305",
  ],
])("a redirect %s is an error", async (_, given, message) => {
  pages = { "b.test/": "secret", ...given };
  const error = await failureOf("http://user:secret@a.test/0?token=secret#secret", world);
  expect(error).toMatchObject({ code: "network", message: `http://a.test/0: ${message}` });
  expect(error.all).not.toContain("secret");
  for (const address of world.reached)
    expect(["93.184.216.34", "8.8.8.8", "2606:4700::1111"]).toContain(address);
});

test("a redirect from https to http is an error, also to the same host and on the way back", async () => {
  pages = {
    "a.test/0": found("http://a.test/1"),
    "a.test/1": "secret",
    "b.test/": found("https://a.test/0"),
  };
  const message = "redirects from https to http, which is not encrypted";
  expect((await failureOf("https://a.test/0", world)).message).toBe(`https://a.test/0: ${message}`);
  expect((await failureOf("http://b.test/", world)).message).toBe(
    `http://b.test/: redirected to "https://a.test/0": ${message}`,
  );
});

test("a name that resolves to another address the second time is checked again, and reached only at the first", async () => {
  pages = { "rebinding.test/0": found("/1"), "rebinding.test/1": "secret" };
  const error = await failureOf("http://rebinding.test/0", world);
  expect(error.message).toBe(
    `http://rebinding.test/0: redirected to "http://rebinding.test/1": ${notPublic("loopback")}`,
  );
  expect(world.reached).toEqual(["1.1.1.1"]);
  expect(requests).toHaveLength(1);
});

test("a name is resolved once for a connection", async () => {
  pages = { "rebinding.test/0": "end" };
  expect(await textOf("http://rebinding.test/0", world)).toBe("end");
  expect(world.resolved).toEqual(["rebinding.test"]);
  expect(world.reached).toEqual(["1.1.1.1"]);
});

test("a Location with bytes that steer a terminal shows none of them", async () => {
  pages = {
    "a.test/0": (response) =>
      response.socket!.end(
        'HTTP/1.1 302 Found\r\nLocation: /\x1b[2J\u202e\xc2\x9b"%1b\r\nContent-Length: 0\r\n\r\n',
        "utf8",
      ),
  };
  const { message } = await failureOf("http://a.test/0", world);
  expect(message).toMatch(/^http:\/\/a\.test\/0: [ -~…]+$/);
});

test("the credentials of a URL and the caller's headers stay with the origin that they were for", async () => {
  pages = {
    "a.test/0": found("/1"),
    "a.test/1": found("http://b.test/2"),
    "b.test/2": found("http://a.test/3"),
    "a.test/3": "end",
  };
  const headers = {
    Cookie: "secret",
    "X-Api-Key": "secret",
    "Proxy-Authorization": "secret",
    "If-Range": '"tag"',
    "User-Agent": "mine",
  };
  expect(await textOf("http://us%65r:p%3Ass%zz@a.test/0", { ...world, headers })).toBe("end");
  const kept = {
    "if-range": '"tag"',
    "user-agent": "mine",
    "accept-encoding": "identity",
    connection: "close",
  };
  const basic = `Basic ${Buffer.from("user:p:ss%zz").toString("base64")}`;
  const all = {
    ...kept,
    cookie: "secret",
    "x-api-key": "secret",
    "proxy-authorization": "secret",
    authorization: basic,
  };
  expect(requests).toEqual([
    { at: "a.test/0", headers: { ...all, host: "a.test" } },
    { at: "a.test/1", headers: { ...all, host: "a.test" } },
    { at: "b.test/2", headers: { ...kept, host: "b.test" } },
    { at: "a.test/3", headers: { ...kept, host: "a.test" } },
  ]);
});

test.each([
  ["another scheme", "https://a.test/1", "a.test/1"],
  ["another port", "http://a.test:8080/1", "a.test:8080/1"],
  ["a host within", "http://b.test/1", "b.test/1"],
])("an authorization is not sent to %s", async (_, location, at) => {
  pages = { "a.test/0": found(location), [at]: "end" };
  expect(await textOf("http://a.test/0", { ...world, headers: { authorization: "Bearer secret" } })).toBe(
    "end",
  );
  expect(requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer secret", undefined]);
});

test("the caller's headers do not replace those on which the checks rest", async () => {
  pages = { "a.test/0": "end" };
  const headers = { Host: "inside.test", "Accept-Encoding": "gzip", RANGE: "bytes=0-1" };
  expect(await textOf("http://a.test/0", { ...world, headers })).toBe("end");
  expect(requests[0]!.headers).toMatchObject({ host: "a.test", "accept-encoding": "identity" });
});
