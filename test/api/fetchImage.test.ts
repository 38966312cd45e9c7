/** Images behind http, from a server on this machine. */

import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fetchImage } from "../../src/api/fetchImage.node.js";
import type { OpenFlamingoError } from "../../src/base/errors.js";
import { createModelAndTransforms, type ImageLimits, load } from "../../src/index.js";
import { golden, randomModelFolder } from "../goldens.js";
import { rejected } from "../reliability.js";

const photoFile = golden("photos/rocket.jpg");
const photo = readFileSync(photoFile);
const limit = 64 * 2 ** 20;

/** A file of any size that begins as a JPEG does. */
const large = (size: number) => {
  const bytes = new Uint8Array(size);
  bytes.set([0xff, 0xd8, 0xff]);
  return bytes;
};

const pages: Record<string, RequestListener> = {
  "/photo.jpg": (_, response) => response.end(photo),
  "/moved.jpg": (_, response) => response.writeHead(302, { location: "/photo.jpg?token=hush" }).end(),
  "/login.jpg": (_, response) => response.writeHead(302, { location: "/page?token=hush" }).end(),
  "/endless": (_, response) => {
    const more = () => {
      while (response.write(new Uint8Array(2 ** 20)));
    };
    response.on("drain", more);
    more();
  },
  "/cut": (_, response) => {
    response.writeHead(200, { "content-length": String(photo.length) });
    response.write(photo.subarray(0, 1000), () => response.destroy());
  },
  "/silent": (_, response) => response.writeHead(200).flushHeaders(),
  "/damaged.jpg": (_, response) => response.end(photo.subarray(0, 400)),
  "/page": (_, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html>hush"),
  "/json": (_, response) => response.writeHead(200, { "content-type": "application/json" }).end('{"hush":1}'),
  "/text": (_, response) => response.end("hush"),
  "/bytes": (_, response) =>
    response.writeHead(200, { "content-type": "image/png" }).end(Buffer.from("hush", "utf16le")),
  "/type": (_, response) =>
    response.writeHead(200, { "content-type": `x/${"y".repeat(200)}\u009b` }).end("hush"),
  "/empty": (_, response) => response.writeHead(200, { "content-type": "image/jpeg" }).end(),
  "/atTheLimit": (_, response) => response.end(large(limit)),
  "/aboveTheLimit": (_, response) => response.end(large(limit + 1)),
  "/aboveInChunks": (_, response) => {
    response.write(large(limit));
    response.end("1");
  },
  "/denied": (_, response) => response.writeHead(403, "hush").end("hush"),
};
const server = createServer((request, response) => {
  const page: RequestListener | undefined = pages[request.url!.split("?")[0]!];
  if (page) page(request, response);
  else response.writeHead(404).end();
});
let address: string;
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const allowPrivateAddresses = true;
const trusting = { allowPrivateAddresses };

const errorOf = (work: Promise<unknown>): Promise<OpenFlamingoError> =>
  work.then(
    () => {
      throw new Error("no error");
    },
    (error: OpenFlamingoError) => error,
  );

test("an image behind an address, or where that redirects to, is captioned as from a file", async () => {
  await using flamingo = await load(undefined, { allowPrivateAddresses });
  const expected = await flamingo.caption(photo);
  expect(await flamingo.caption(new URL(`${address}/photo.jpg`))).toEqual(expected);
  expect(await flamingo.caption(new URL(`${address}/moved.jpg`))).toEqual(expected);
});

test.each([
  ["an address that answers 404", (): string => `${address}/none`, "network", "the server answers 404"],
  [
    "an address where nobody answers",
    (): string => "http://127.0.0.1:9/",
    "network",
    "cannot be fetched (ECONNREFUSED)",
  ],
  ["an answer that breaks off", () => `${address}/cut`, "network", "the answer broke off"],
  [
    "an answer without end",
    () => `${address}/endless`,
    "image-unreadable",
    "has more than 67,108,864 bytes, the limit is 67,108,864",
  ],
] as const)("%s is reported", async (what, url, code, message) => {
  await expect(fetchImage(new URL(url()), trusting)).rejects.toMatchObject({
    code,
    message: `${url()}: ${message}`,
  });
  rejected("Images", what, code);
});

test("a server that says nothing is left when the signal says so", async () => {
  const signal = AbortSignal.timeout(200);
  await expect(fetchImage(new URL(`${address}/silent`), { signal, ...trusting })).rejects.toMatchObject({
    name: "TimeoutError",
  });
});

test("64 MiB are taken unless maxBytes says more, and not one byte beyond", async () => {
  const above = new URL(`${address}/aboveTheLimit`);
  expect((await fetchImage(new URL(`${address}/atTheLimit`), trusting)).length).toBe(67_108_864);
  expect(await errorOf(fetchImage(above, trusting))).toMatchObject({
    code: "image-unreadable",
    message: `${above}: has 67,108,865 bytes, the limit is 67,108,864`,
  });
  expect((await errorOf(fetchImage(new URL(`${address}/aboveInChunks`), trusting))).message).toBe(
    `${address}/aboveInChunks: has more than 67,108,864 bytes, the limit is 67,108,864`,
  );
  expect((await fetchImage(above, { ...trusting, maxBytes: limit + 1 })).length).toBe(67_108_865);
});

test.each([
  ["/page", 'an answer of type "text/html", 19 bytes (status 200)'],
  ["/json", 'an answer of type "application/json", 10 bytes (status 200)'],
  ["/text", "an answer without a type, 4 bytes (status 200)"],
  ["/bytes", 'an answer of type "image/png", 8 bytes (status 200)'],
  ["/empty", 'an answer of type "image/jpeg", 0 bytes (status 200)'],
])("the answer %s, which is no image, is described and not shown", async (path, found) => {
  const error = await errorOf(fetchImage(new URL(`${address}${path}?hush`), trusting));
  expect(error).toMatchObject({
    code: "image-unreadable",
    message: `${address}${path}: is not an image but ${found}`,
  });
  expect(error.stack).not.toContain("hush");
});

test("a content type is shown on one line, cut and without what steers a terminal", async () => {
  const { message } = await errorOf(fetchImage(new URL(`${address}/type`), trusting));
  expect(message).toMatch(/: is not an image but an answer of type "x\/y+…, 4 bytes \(status 200\)$/);
});

test("a page to which the address redirects is named without its query", async () => {
  const { message } = await errorOf(fetchImage(new URL(`${address}/login.jpg`), trusting));
  expect(message).toBe(
    `${address}/login.jpg: redirected to "${address}/page": is not an image but an answer of type "text/html", 19 bytes (status 200)`,
  );
});

test.each(["true", 1, {}, null])("allowPrivateAddresses: %j is an error", async (value) => {
  const options = { allowPrivateAddresses: value as boolean };
  expect(await errorOf(fetchImage(new URL(`${address}/photo.jpg`), options))).toMatchObject({
    code: "usage",
    message: `allowPrivateAddresses is ${JSON.stringify(value)}`,
  });
});

const tinyModel = randomModelFolder;
const folder = (name: string) => join(tinyModel, name);

/** Both ways to read an image, with the options under which it is read. */
const ways = [
  [
    "load",
    async (
      source: URL | string,
      options: { allowPrivateAddresses?: boolean; limits?: { images?: ImageLimits } },
    ) => {
      await using flamingo = await load(undefined, options);
      return await flamingo.caption(source);
    },
  ],
  [
    "createModelAndTransforms",
    async (
      source: URL | string,
      options: { allowPrivateAddresses?: boolean; limits?: { images?: ImageLimits } },
    ) => {
      const { imageProcessor } = await createModelAndTransforms({
        clipVisionEncoderPath: folder("clip"),
        clipVisionEncoderPretrained: folder("clip/open_clip_pytorch_model.bin"),
        langEncoderPath: folder("lang"),
        tokenizerPath: folder("lang"),
        ...options,
      });
      return imageProcessor(source);
    },
  ],
] as const;

describe.each(ways)("with %s", (_, read) => {
  test("a private address is reached only where that is allowed", async () => {
    const url = new URL(`${address}/photo.jpg`);
    const error = {
      code: "network",
      message: `${url}: the host's address is not public (loopback), and only public ones are fetched`,
      hint: expect.stringContaining("allowPrivateAddresses: true"),
    };
    await expect(read(url, {})).rejects.toMatchObject(error);
    await expect(read(url, { allowPrivateAddresses: false })).rejects.toMatchObject(error);
    expect(await read(url, { allowPrivateAddresses })).toBeDefined();
  });

  test("maxBytes counts for a fetched file as for one on the disk, in the same words", async () => {
    const options = { allowPrivateAddresses, limits: { images: { maxBytes: 1000 } } };
    const url = new URL(`${address}/photo.jpg`);
    const fetched = await errorOf(read(url, options));
    const onDisk = await errorOf(read(photoFile, options));
    expect(fetched.code).toBe(onDisk.code);
    expect(fetched.hint).toBe(onDisk.hint);
    expect(fetched.message.replace(`${url}`, "")).toBe(onDisk.message.replace(photoFile, ""));
    const endless = await errorOf(read(new URL(`${address}/endless`), options));
    expect(endless.message).toBe(`${address}/endless: has more than 1,000 bytes, the limit is 1,000`);
    expect([endless.code, endless.hint]).toEqual([onDisk.code, onDisk.hint]);
  });

  test("maxSeconds counts for the fetch", async () => {
    const options = { allowPrivateAddresses, limits: { images: { maxSeconds: 0.3 } } };
    expect(await errorOf(read(new URL(`${address}/silent?hush`), options))).toMatchObject({
      code: "network",
      message: `${address}/silent: was not read within 0.3 seconds`,
    });
  });

  test.each([
    ["no file", "/none"],
    ["no access", "/denied"],
    ["no image", "/page"],
    ["a damaged image", "/damaged.jpg"],
    ["too large a file", "/endless"],
    ["a broken off answer", "/cut"],
  ])("neither credentials nor content of %s are in the error", async (_, path) => {
    const url = new URL(`${address.replace("//", "//hush:hush@")}${path}?hush=hush#hush`);
    const error = await errorOf(read(url, { allowPrivateAddresses, limits: { images: { maxBytes: 1e6 } } }));
    expect(error.message).toContain(`${address}${path}: `);
    for (const text of [
      error.message,
      error.hint,
      error.stack,
      String(error.cause),
      `${JSON.stringify(error.cause)}`,
    ]) {
      expect(text).not.toContain("hush");
    }
  });

  test.each([
    "https://hush:hush@example.org/cat.jpg?hush#hush",
    " https://hush@example.org/cat.jpg?hush",
    "HTTP://hush@example.org/cat.jpg",
    "ht\ntp://hush@example.org/cat.jpg",
    "https://hush:hush@[/cat.jpg",
  ])("credentials of the text %j, which is no path, are not in the error", async (text) => {
    const error = await errorOf(read(text, {}));
    expect(error.message).toMatch(
      /^(https?:\/\/example\.org\/cat\.jpg|a malformed web address): is a web address given as text/,
    );
    expect(`${error.stack} ${error.cause}`).not.toContain("hush");
  });
});
