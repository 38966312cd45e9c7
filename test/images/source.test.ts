import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { type DecodeOptions, decodeImage } from "../../src/images/decode.node.js";
import { jpeg, png, rejection } from "./rejection.js";

const folder = mkdtempSync(join(tmpdir(), "openflamingo-images-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a path, a file: URL, bytes and a Blob give the same pixels", async () => {
  const path = join(folder, "with space.png");
  writeFileSync(path, png);
  const padded = new Uint8Array([0, 0, 0, ...png, 0]).subarray(3, 3 + png.length);
  for (const source of [path, pathToFileURL(path), png, padded, new Blob([png])]) {
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
  expect(calls).toEqual([[url, { signal: expect.any(AbortSignal) }]]);

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
