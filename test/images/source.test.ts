import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { afterAll, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { type DecodeOptions, decodeImage } from "../../src/images/decode.node.js";
import type { ImageSource } from "../../src/images/image.js";
import { jpeg, png, rejection } from "./rejection.js";

const folder = mkdtempSync(join(tmpdir(), "openflamingo-images-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A stream that gives parts, and what became of it. */
function streamOf(parts: readonly unknown[], { end = true } = {}) {
  const seen = { pulled: 0, cancelled: undefined as unknown };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const part = parts[seen.pulled++];
        if (part instanceof Error) controller.error(part);
        else if (part !== undefined) controller.enqueue(part as Uint8Array);
        else if (end) controller.close();
        else return new Promise(() => {}); // nothing comes any more
        return undefined;
      },
      cancel(reason) {
        seen.cancelled = reason;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

/** `file` in parts of a few bytes. */
const inParts = (file: Uint8Array, length = 7) =>
  Array.from({ length: Math.ceil(file.length / length) }, (_, i) => file.slice(i * length, (i + 1) * length));

test("a path, a file: URL, bytes and a Blob give the same pixels", async () => {
  const path = join(folder, "with space.png");
  writeFileSync(path, png);
  const padded = new Uint8Array([0, 0, 0, ...png, 0]).subarray(3, 3 + png.length);
  const buffer = png.slice().buffer;
  const sources = [
    ...[path, pathToFileURL(path), png, Buffer.from(png), padded, new Blob([png]), buffer],
    new DataView(padded.buffer, 3, png.length) as unknown as Uint8Array,
    new Response(png),
    new Response(streamOf(inParts(png)).stream),
    streamOf([png]).stream,
    streamOf(inParts(png)).stream,
    streamOf(inParts(png).map((part) => part.buffer)).stream,
    Readable.toWeb(Readable.from(inParts(png))) as ReadableStream<Uint8Array>,
  ];
  for (const source of sources) {
    expect(await decodeImage(source)).toEqual({
      mode: "RGB",
      width: 7,
      height: 5,
      data: new Uint8Array(7 * 5 * 3).fill(0x80),
    });
  }
});

test("the file's name does not decide its format", async () => {
  const path = join(folder, "really-a.png");
  writeFileSync(path, jpeg);
  expect(await decodeImage(path)).toMatchObject({ mode: "RGB", width: 7, height: 5 });
});

test("a missing file is named", async () => {
  const path = join(folder, "cat.jpg");
  expect(await rejection(path)).toMatchObject({
    code: "image-missing",
    message: `${path}: there is no such file`,
  });
  expect((await rejection(join(folder, "really-a.png", "cat.jpg"))).code).toBe("image-missing");
});

test("a folder is not an image", async () => {
  expect(await rejection(folder)).toMatchObject({
    code: "image-unreadable",
    message: `${folder}: is a folder, not an image`,
  });
});

test("a web address is not read as a file", async () => {
  expect(await rejection(new URL("https://example.org/cat.jpg"))).toMatchObject({
    code: "image-unsupported",
    message: "https://example.org/cat.jpg: is on the web; only files and data: URIs are read here",
  });
});

test("a data: URI, as text or URL object, in base64 or not, is the image in it", async () => {
  const base64 = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  const percents = `data:image/png,${Array.from(png, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")}`;
  for (const source of [
    base64,
    new URL(base64),
    percents,
    new URL(percents),
    base64.replace("data", "DATA"),
  ]) {
    expect(await decodeImage(source)).toEqual(await decodeImage(png));
  }
});

test("a data: URI that is malformed, or holds no image, is rejected, and not printed in full", async () => {
  for (const uri of ["data:image/png;base64", "data:image/png;base64,@@@@"]) {
    expect(await rejection(uri)).toMatchObject({
      code: "image-unreadable",
      message: `${uri}: is not a well-formed data: URI`,
    });
  }
  expect((await rejection("data:,hello")).message).toBe(
    'data:,hello: is not an image but text that begins "hello"',
  );
  const long = `data:image/png;base64,${"A".repeat(1e6)}`;
  expect((await rejection(new URL(long))).message.length).toBeLessThan(200);
});

test("a URL object of the web is fetched by the function that is given", async () => {
  const url = new URL("https://example.org/cat.jpg");
  const { signal } = new AbortController();
  const calls: unknown[] = [];
  const fetchImage: DecodeOptions["fetchImage"] = async (...call) => {
    calls.push(call);
    return png;
  };
  expect(await decodeImage(url, { fetchImage, signal })).toEqual(await decodeImage(png));
  expect(calls).toEqual([[url, { signal: expect.any(AbortSignal), maxBytes: 2 ** 30 }]]);

  expect(await rejection(url.href, { fetchImage })).toMatchObject({
    code: "image-unsupported",
    message: "https://example.org/cat.jpg: is a web address given as text, and text is a path",
  });
  expect(calls).toHaveLength(1);
});

test("what goes wrong in fetching is named: our own errors as they are, others as network", async () => {
  const url = new URL("https://example.org/cat.jpg");
  const failing = (error: unknown) => ({ fetchImage: () => Promise.reject(error) });
  expect(await rejection(url, failing(new TypeError("fetch failed")))).toMatchObject({
    code: "network",
    message: "https://example.org/cat.jpg: could not be fetched",
  });
  const own = new OpenFlamingoError("network", "answered 404", { hint: "Check the address." });
  expect(await rejection(url, failing(own))).toBe(own);
  const signal = AbortSignal.abort(new Error("enough"));
  const aborted = decodeImage(url, { ...failing(new TypeError("aborted")), signal });
  await expect(aborted).rejects.toThrow("enough");
});

test("an aborted signal ends decoding with its reason", async () => {
  const controller = new AbortController();
  const decoding = decodeImage(png, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(decoding).rejects.toThrow("enough");
  await expect(decodeImage(png, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
});

test("classes of another realm, as test runners have them, are taken too", async () => {
  const foreign = runInNewContext("(bytes) => [Uint8Array.from(bytes), Uint8Array.from(bytes).buffer]")(png);
  for (const source of foreign) expect(await decodeImage(source)).toEqual(await decodeImage(png));
});

test("an answer that is no success, or was read before, is rejected, and nothing more of it is read", async () => {
  for (const status of [404, 500, 403]) {
    const { stream, seen } = streamOf([png]);
    expect(await rejection(new Response(stream, { status }))).toMatchObject({
      code: "network",
      message: `the image: is no image: the server answered ${status}`,
    });
    expect(seen).toEqual({ pulled: 0, cancelled: undefined });
    await expect(stream.getReader().read()).resolves.toMatchObject({ done: true });
  }
  const used = new Response(png);
  await used.arrayBuffer();
  expect(await rejection(used)).toMatchObject({
    code: "usage",
    message: "the image: was read before, and a response or a stream can be read once",
  });
  const twice = new Response(png);
  await decodeImage(twice);
  expect((await rejection(twice)).message).toContain("was read before");
  expect((await rejection(new Response(null))).message).toBe("the image: is empty (0 bytes)");
  expect((await rejection(Response.error())).code).toBe("network");
});

test("a stream that is in use, was used, fails, or carries no bytes is rejected by what it is", async () => {
  const locked = streamOf([png]).stream;
  locked.getReader();
  expect(await rejection(locked)).toMatchObject({
    code: "usage",
    message: "the image: is a stream that somebody else reads (it is locked)",
  });
  const lockedBody = new Response(png);
  lockedBody.body!.getReader();
  expect((await rejection(lockedBody)).message).toContain("somebody else reads");

  const begun = streamOf(inParts(png)).stream;
  const reader = begun.getReader();
  await reader.read();
  reader.releaseLock();
  expect((await rejection(begun)).message).toContain("was read before");

  for (const parts of [[new Error("gone")], [png.slice(0, 20), new Error("gone")]]) {
    const { code, message, cause } = await rejection(streamOf(parts).stream);
    expect([code, message]).toEqual(["image-unreadable", "the image: broke off before its end"]);
    expect(cause).toEqual(new Error("gone"));
  }
  for (const part of ["text", 7, { a: 1 }, [1, 2], new Float32Array(2), null]) {
    const { stream, seen } = streamOf([png.slice(0, 9), part]);
    const error = await rejection(stream);
    expect([error.code, error.message]).toEqual([
      "image-unreadable",
      "the image: is a stream of something else than bytes",
    ]);
    expect(seen.cancelled).toBe(error);
    expect(stream.locked).toBe(false);
  }
});

test("a stream is read as far as allowed, then cancelled", async () => {
  for (const maxBytes of [1, 6, 7, 8, 20, png.length - 1]) {
    const { stream, seen } = streamOf([...inParts(png), ...Array(9).fill(png)]);
    const error = await rejection(stream, { maxBytes });
    expect([error.code, error.message]).toEqual([
      "image-unreadable",
      `the image: has more than ${maxBytes} bytes, the limit is ${maxBytes}`,
    ]);
    expect(seen).toEqual({ pulled: Math.floor(maxBytes / 7) + 1, cancelled: error });
  }
  const { stream } = streamOf(inParts(png));
  expect(await decodeImage(stream, { maxBytes: png.length })).toMatchObject({ width: 7 });
});

test("a stream that gives nothing more is left when the signal is aborted, or the time is over", async () => {
  const waiting = streamOf(inParts(png).slice(0, 3), { end: false });
  const controller = new AbortController();
  const reading = decodeImage(waiting.stream, { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 5);
  await expect(reading).rejects.toThrow("enough");
  expect(waiting.seen.cancelled).toEqual(new Error("enough"));

  const slow = streamOf([], { end: false });
  expect(await rejection(slow.stream, { maxSeconds: 0.01 })).toMatchObject({
    code: "image-unreadable",
    message: "the image: was not read within 0.01 seconds",
  });
  expect(slow.seen.cancelled).toMatchObject({ code: "image-unreadable" });
  const answer = new Response(streamOf([], { end: false }).stream);
  expect((await rejection(answer, { maxSeconds: 0.01 })).code).toBe("network");
});

test("what a caller does with his memory while an image is decoded changes nothing", async () => {
  const wanted = await decodeImage(jpeg);
  const overwritten = jpeg.slice();
  const first = decodeImage(overwritten);
  overwritten.fill(0);
  expect(await first).toEqual(wanted);

  const given = jpeg.slice();
  const second = decodeImage(given);
  structuredClone(given.buffer, { transfer: [given.buffer] });
  expect(await second).toEqual(wanted);

  // TypeScript's library of 2023 does not know these yet.
  const Resizable = ArrayBuffer as unknown as new (
    size: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(size: number): void };
  const resizable = new Resizable(jpeg.length, { maxByteLength: 2 * jpeg.length });
  new Uint8Array(resizable).set(jpeg);
  const third = decodeImage(resizable);
  resizable.resize(3);
  expect(await third).toEqual(wanted);

  const shared = new Uint8Array(new SharedArrayBuffer(jpeg.length));
  shared.set(jpeg);
  const fourth = decodeImage(shared);
  shared.fill(1);
  expect(await fourth).toEqual(wanted);
});

test("memory that was given away is rejected as such", async () => {
  const bytes = png.slice();
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  for (const source of [bytes, bytes.buffer]) {
    expect(await rejection(source)).toMatchObject({
      code: "usage",
      message: "the image: has no bytes any more: its memory was transferred",
    });
  }
});

test.each([
  [undefined, "no value"],
  [null, "null"],
  [7, "a number"],
  [7n, "a bigint"],
  [true, "a boolean"],
  [Symbol("s"), "a symbol"],
  [() => 1, "a function"],
  ["", "an empty text"],
  [{}, "an object"],
  [Object.create(null), "an object"],
  [{ image: png }, "an object"],
  [["cat.jpg"], "an array"],
  [Promise.resolve(png), "a Promise"],
  [new Map(), "a Map"],
  [new Error("x"), "an Error"],
  [new Date(), "a Date"],
  [new Float32Array(3), "a Float32Array"],
  [new Uint16Array(3), "a Uint16Array"],
  [Readable.from(["x"]), "a Readable"],
  [new (class Image {})(), "an Image"],
])("%o is no image: %s", async (source, kind) => {
  const { code, message, hint } = await rejection(source as ImageSource);
  const wanted = "an image must be a path, a URL object, or the bytes of an image file";
  expect([code, message]).toEqual(["usage", `${wanted}; this is ${kind}`]);
  expect(hint).toMatch(/Uint8Array, an ArrayBuffer, a Blob, a Response or a ReadableStream.*Readable\.toWeb/);
});

const secret = new TextEncoder().encode("SECRET-TOKEN-of-a-private-server");

test("what an address or a stream answers is not shown, whatever it is", async () => {
  const url = new URL("https://example.org/latest/meta-data");
  for (const answer of [secret, new Uint8Array([7, 8, 9]), secret.slice(0, 2)]) {
    const fetchImage = async () => answer;
    const sources: readonly (readonly [ImageSource, string])[] = [
      [url, "https://example.org/latest/meta-data"],
      [new Response(answer), "the image"],
      [streamOf([answer]).stream, "the image"],
    ];
    for (const [source, name] of sources) {
      const { code, message, cause } = await rejection(source, { fetchImage });
      expect([code, message, cause]).toEqual([
        "image-unreadable",
        `${name}: is not an image but ${answer.length} bytes of no known image format`,
        undefined,
      ]);
    }
  }
  // On the disk and in memory it is the user's own.
  expect((await rejection(secret)).message).toContain('text that begins "SECRET-TOKEN-of-"');
});

test("a password or a token in an address is not shown", async () => {
  for (const address of [
    "https://user:hunter2@example.org/cat.jpg?token=hunter2",
    "https://hunter2@example.org/cat.jpg#hunter2",
    "https://example.org/cat.jpg?hunter2",
    "HTTPS://user:hunter2@example.org/cat.jpg",
    " https://user:hunter2@example.org/cat.jpg",
    "ht\ntps://user:hunter2@example.org/cat.jpg",
  ]) {
    for (const source of [address, new URL(address)]) {
      const { message } = await rejection(source);
      expect(message).not.toContain("hunter2");
      expect(message).toMatch(/^https:\/\/example.org\/cat.jpg: /);
    }
  }
});

test("a name does not steer the terminal, nor turn the reading around", async () => {
  const { message } = await rejection("cat\u001b[31m\u009b\u202ejpg.exe\u2066");
  expect(message).toBe("cat[31mjpg.exe: there is no such file");
});

test("a limit that is no number is rejected, whatever it looks like", async () => {
  const wrong = (options: object) => rejection(png, options as DecodeOptions);
  expect((await wrong({ maxPixels: "100" })).message).toBe('maxPixels is "100"; it must be a number above 0');
  expect((await wrong({ maxBytes: null, maxSeconds: true })).message).toContain("maxSeconds is true");
});
