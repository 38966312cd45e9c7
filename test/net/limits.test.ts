/** What one fetch may cost: bytes, seconds, until the signal says so; and answers that are not what was asked for. */
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { type OpenUrlOptions, openUrl } from "../../src/net/openUrl.node.js";
import { failureOf, type LocalServer, serve, textOf, wide } from "./servers.js";

let server: LocalServer;
let answer: (response: ServerResponse, headers: Record<string, unknown>) => void = () => {};
/** Settles when the server sees that its connection is gone. */
let gone: Promise<unknown>;
beforeAll(async () => {
  server = await serve(({ headers }, response) => {
    gone = new Promise((resolve) => response.on("close", resolve));
    answer(response, headers);
  });
});
afterAll(() => server.close());
beforeEach(() => {
  gone = Promise.resolve();
});

const trusting = { allowPrivateAddresses: true };
const at = (path = "") => `http://127.0.0.1:${server.port}/${path}`;
const fails = (options: Partial<OpenUrlOptions> = {}) => failureOf(at(), { ...trusting, ...options });
const text = (options: Partial<OpenUrlOptions> = {}) => textOf(at(), { ...trusting, ...options });

/** Writes a piece again and again, as fast as it is taken, until nobody takes it. */
async function pour(response: ServerResponse, piece: Uint8Array | string, pause = 0): Promise<void> {
  while (!response.destroyed) {
    if (!response.write(piece)) await Promise.race([new Promise((r) => response.once("drain", r)), gone]);
    if (pause) await sleep(pause);
  }
}

describe("bytes", () => {
  test("a body of just the limit is taken, with its size said or not", async () => {
    answer = (response) => response.writeHead(200, { "content-length": "5" }).end("12345");
    expect(await text({ maxBytes: 5 })).toBe("12345");
    answer = (response) => void response.write("123", () => response.end("45"));
    expect(await text({ maxBytes: 5 })).toBe("12345");
  });

  test("a size beyond the limit is an error before the body comes", async () => {
    answer = (response) => response.writeHead(200, { "content-length": "1234567890" }).flushHeaders();
    const error = await fails({ maxBytes: 1000 });
    expect(error).toMatchObject({
      code: "network",
      message: `${at()}: has 1,234,567,890 bytes, the limit is 1,000`,
      hint: expect.stringContaining("maxBytes"),
    });
    await gone;
  });

  test.each([
    [
      "in one piece",
      (response: ServerResponse) => response.writeHead(200, { connection: "close" }).end("123456"),
    ],
    ["in chunks of a byte", (response: ServerResponse) => void pour(response, "1")],
    ["without end", (response: ServerResponse) => void pour(response, new Uint8Array(2 ** 16))],
    [
      "more than was said",
      (response: ServerResponse) =>
        response.socket!.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n0\r\n\r\n"),
    ],
  ])("a body beyond the limit that comes %s is an error, and no more is taken", async (_, body) => {
    answer = (response) => {
      response.useChunkedEncodingByDefault = true;
      body(response);
    };
    expect(await fails({ maxBytes: 5 })).toMatchObject({
      code: "network",
      message: expect.stringMatching(/: has (more than 5|6) bytes, the limit is 5$/),
    });
    await gone;
  });

  test("an endless body is left soon after the limit", async () => {
    let sent = 0;
    answer = async (response) => {
      const piece = new Uint8Array(2 ** 16);
      while (!response.destroyed) {
        sent += piece.length;
        if (!response.write(piece)) await Promise.race([new Promise((r) => response.once("drain", r)), gone]);
      }
    };
    await fails({ maxBytes: 2 ** 20 });
    await gone;
    // What the system holds on the way is beyond the reader's power.
    expect(sent).toBeLessThan(32 * 2 ** 20);
  });

  test("the error may be the caller's own", async () => {
    const sizes: unknown[] = [];
    const tooLarge = (...found: unknown[]) => {
      sizes.push(found);
      return new OpenFlamingoError("image-unreadable", "it is too large", { hint: "Take another." });
    };
    answer = (response) => response.writeHead(200, { "content-length": "6" }).end("123456");
    expect((await fails({ maxBytes: 5, tooLarge })).code).toBe("image-unreadable");
    answer = (response) => void response.write("123", () => response.end("456"));
    expect((await fails({ maxBytes: 5, tooLarge })).code).toBe("image-unreadable");
    expect(sizes).toEqual([
      [at(), 6],
      [at(), undefined],
    ]);
  });

  test("a limit that is no number takes nothing", async () => {
    answer = (response) => response.end("1");
    expect((await fails({ maxBytes: Number.NaN })).code).toBe("network");
  });

  test("200,000 chunks of one byte are put together right", async () => {
    const digits = Array.from({ length: 200_000 }, (_, i) => String(i % 10));
    answer = (response) => {
      for (const digit of digits) response.write(digit);
      response.end();
    };
    expect(await text()).toBe(digits.join(""));
  });

  test.each(["gzip", "br", "deflate", "zstd", "GZIP, gzip", "identity, gzip", "secret\u009b31m"])(
    "an answer encoded as %s is an error: it could become larger than what came",
    async (coding) => {
      answer = (response) => response.writeHead(200, { "content-encoding": coding }).end(gzipSync("1"));
      const error = await fails();
      expect(error.message).toMatch(/: the server sends it as "[ -~]+", though asked not to$/);
    },
  );

  test("a transfer encoding other than chunks is an error", async () => {
    answer = ({ socket }) =>
      socket!.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n");
    expect((await fails()).message).toBe(`${at()}: the server sends it as "gzip", though asked not to`);
  });

  test("an encoding that changes nothing is taken", async () => {
    answer = (response) => response.writeHead(200, { "content-encoding": "Identity" }).end("1");
    expect(await text()).toBe("1");
  });
});

describe("seconds", () => {
  const late = { code: "network", message: expect.stringMatching(/: was not read within 0\.3 seconds$/) };

  test.each<[string, typeof answer]>([
    ["says nothing", () => {}],
    ["sends headers alone", (response) => response.writeHead(200).flushHeaders()],
    [
      "sends headers byte by byte",
      ({ socket }) => {
        const drip = setInterval(() => socket!.write("HTTP/1.1 200 OK\r\nx: "[0]!), 20);
        socket!.on("close", () => clearInterval(drip));
        socket!.write("HTTP/1.1 200 OK\r\nx: ");
      },
    ],
    ["drips", (response) => void pour(response, "1", 20)],
    [
      "drips what it said it would send",
      (response) => void pour(response.writeHead(200, { "content-length": "1000000" }), "1", 20),
    ],
    [
      "sends interim answers without end",
      (response) => {
        const drip = setInterval(() => response.writeProcessing(), 20);
        response.on("close", () => clearInterval(drip));
      },
    ],
    [
      "redirects slowly, again and again",
      (response) => {
        setTimeout(() => response.writeHead(302, { location: "/" }).end(), 150);
      },
    ],
  ])("a server that %s is left when the time is over", async (_, slow) => {
    answer = slow;
    const start = performance.now();
    expect(await fails({ maxSeconds: 0.3 })).toMatchObject(late);
    expect(performance.now() - start).toBeLessThan(2000);
    await gone;
  });

  test("a resolver that does not answer is not waited for", async () => {
    const resolve = () => new Promise<never>(() => {});
    expect(await failureOf("http://images.test/", { resolve, maxSeconds: 0.3 })).toMatchObject(late);
  });

  test("a fetch that is done in time leaves no timer and no listener behind", async () => {
    answer = (response) => response.end("1");
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    const timers = () => process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
    const before = timers();
    await text({ signal, maxSeconds: 1e9 });
    await fails({ signal, maxBytes: 0 });
    expect(listeners).toBe(0);
    expect(timers()).toBeLessThanOrEqual(before);
  });
});

describe("the signal", () => {
  test.each<[string, typeof answer]>([
    ["before the headers", () => {}],
    ["in the body", (response) => void pour(response, "1", 20)],
    ["while bytes come fast", (response) => void pour(response, new Uint8Array(1024))],
  ])("ends a fetch %s with its reason, and the connection", async (_, slow) => {
    answer = slow;
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 100);
    await expect(text({ signal: controller.signal, maxBytes: Infinity })).rejects.toThrow(/^enough$/);
    await gone;
  });

  test("that is aborted already lets nothing begin", async () => {
    const before = server.connections();
    await expect(text({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow(/^enough$/);
    expect(server.connections()).toBe(before);
  });
});

describe("broken answers", () => {
  test.each<[string, string]>([
    ["before all that was said came", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsecret"],
    ["before any of it came", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"],
    ["before the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecret\r\n"],
    ["inside a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\nsecret"],
    ["at a chunk that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecret\r\nsecret"],
  ])("an answer that breaks off %s is an error", async (_, raw) => {
    answer = ({ socket }) => socket!.end(raw);
    const error = await fails();
    expect(error).toMatchObject({ code: "network", message: `${at()}: the answer broke off` });
    expect(error.all).not.toContain("secret");
  });

  test.each<[string, string, string]>([
    ["nothing", "", "ECONNRESET"],
    ["no HTTP", "secret\r\n\r\n", "HPE_INVALID_CONSTANT"],
    [
      "a size that is none",
      "HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n",
      "HPE_INVALID_CONTENT_LENGTH",
    ],
    [
      "two sizes",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HPE_UNEXPECTED_CONTENT_LENGTH",
    ],
    ["headers without end", `HTTP/1.1 200 OK\r\n${"x: secret\r\n".repeat(10_000)}`, "HPE_HEADER_OVERFLOW"],
    [
      "another protocol",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: secret\r\nConnection: upgrade\r\n\r\n",
      "",
    ],
  ])("a server that answers %s is reported by the code alone", async (_, raw, code) => {
    answer = ({ socket }) => socket!.end(raw);
    const error = await fails();
    expect(error).toMatchObject({
      code: "network",
      message: `${at()}: cannot be fetched${code && ` (${code})`}`,
    });
    expect(error.all).not.toContain("secret");
  });

  test("where nobody listens there is nothing", async () => {
    expect(await failureOf("http://127.0.0.1:9/", trusting)).toMatchObject({
      code: "network",
      message: "http://127.0.0.1:9/: cannot be fetched (ECONNREFUSED)",
    });
  });

  test.each([201, 202, 203, 204, 205, 206, 207, 400, 401, 403, 404, 410, 416, 418, 429, 500, 503, 599, 999])(
    "an answer of status %i is none",
    async (status) => {
      answer = (response) => response.writeHead(status, "secret").end(status === 204 ? "" : "secret");
      const error = await failureOf(at("a?secret#secret"), trusting);
      expect(error).toMatchObject({ code: "network", message: `${at("a")}: the server answers ${status}` });
      expect(error.all).not.toContain("secret");
      await gone;
    },
  );
});

describe("ranges", () => {
  const file = "0123456789";
  const part = (contentRange: string, body: string) => (response: ServerResponse) =>
    response
      .writeHead(206, { "content-range": contentRange, "content-length": String(body.length) })
      .end(body);

  test("a part is asked for and taken, also one that ends with the file", async () => {
    answer = (response, { range }) => {
      expect(range).toBe("bytes=2-5");
      part("bytes 2-5/10", file.slice(2, 6))(response);
    };
    expect(await text({ range: { first: 2, last: 5 }, maxBytes: 4 })).toBe("2345");
    answer = part("bytes 8-9/10", "89");
    expect(await text({ range: { first: 8, last: 20 } })).toBe("89");
    answer = (response, { range }) => {
      expect(range).toBe("bytes=8-");
      part("bytes 8-9/*", "89")(response);
    };
    const { status, size, headers, body } = await openUrl(new URL(at()), {
      ...wide,
      ...trusting,
      range: { first: 8 },
    });
    expect({ status, size, range: headers["content-range"] }).toEqual({
      status: 206,
      size: 2,
      range: "bytes 8-9/*",
    });
    for await (const bytes of body) expect([...bytes]).toEqual([56, 57]);
  });

  test("a server that knows no ranges sends the whole, and the status says so", async () => {
    answer = (response) => response.end(file);
    const answered = await openUrl(new URL(at()), { ...wide, ...trusting, range: { first: 8 } });
    expect(answered.status).toBe(200);
    answered.close();
    await gone;
  });

  test.each([
    ["from elsewhere", part("bytes 3-5/10", "345")],
    ["beyond the end that was asked for", part("bytes 2-6/10", "23456")],
    ["of another size than the range", part("bytes 2-5/10", "234")],
    ["backwards", part("bytes 2-1/10", "")],
    ["without saying which", (response: ServerResponse) => response.writeHead(206).end("2345")],
    ["in words", part("bytes two-5/10", "2345")],
    [
      "in several parts",
      (r: ServerResponse) => r.writeHead(206, { "content-type": "multipart/byteranges" }).end("x"),
    ],
  ])("a part %s is an error", async (_, wrong) => {
    answer = wrong;
    const message = `${at()}: the server answers with other bytes of the file than was asked for`;
    expect((await fails({ range: { first: 2, last: 5 } })).message).toBe(message);
  });

  test("a part in chunks that are fewer bytes than its range is broken off", async () => {
    answer = (response) => void response.writeHead(206, { "content-range": "bytes 2-5/10" }).end("23");
    expect((await fails({ range: { first: 2, last: 5 } })).message).toBe(`${at()}: the answer broke off`);
  });
});

test("an answer that is closed, or whose reader breaks off, gives its connection back", async () => {
  answer = (response) => void pour(response, new Uint8Array(1024));
  const closed = await openUrl(new URL(at()), { ...wide, ...trusting });
  closed.close();
  await gone;
  const { body } = await openUrl(new URL(at()), { ...wide, ...trusting });
  for await (const _ of body) break;
  await gone;
});

test("an answer that nobody reads is given up when its time is over, and says so to a late reader", async () => {
  answer = (response) => void pour(response, new Uint8Array(1024));
  const { body } = await openUrl(new URL(at()), { ...wide, ...trusting, maxSeconds: 0.2 });
  await gone;
  await expect(body[Symbol.asyncIterator]().next()).rejects.toThrow("was not read within 0.2 seconds");
});

test("the body of a redirect is not waited for, and its connection is closed", async () => {
  let first: Promise<unknown> | undefined;
  answer = async (response) => {
    if (first === undefined) {
      first = gone;
      await pour(response.writeHead(302, { location: "/" }), new Uint8Array(1024));
    } else {
      await first;
      response.end("1");
    }
  };
  expect(await text()).toBe("1");
});

test("the URL object is neither changed, nor is a change of it during the fetch obeyed", async () => {
  answer = (response) => response.end("1");
  const url = new URL(at("a").replace("//", "//user:pass@"));
  const before = url.href;
  const fetching = openUrl(url, { ...wide, ...trusting });
  expect(url.href).toBe(before);
  url.port = "9";
  (await fetching).close();
});
