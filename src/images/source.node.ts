/**
 * The bytes of an image file, from wherever it is: memory, a stream, disk, a `data:` URI, or the web by another's hand.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { type ErrorCode, OpenFlamingoError } from "../base/errors.js";
import { shownAddress } from "../base/webAddress.js";
import type { ImageSource } from "./image.js";
import { bytesIn, kindOf } from "./memory.js";
import { readStream, type StreamFault } from "./stream.js";

export interface SourceOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Gets the image behind a URL object of `http:` or `https:`, and should give up beyond `maxBytes`; without it such
   * an image is rejected.
   *
   * Its OpenFlamingoErrors reach the user as they are, other errors as `network`.
   */
  readonly fetchImage?:
    | ((
        url: URL,
        options: { readonly signal?: AbortSignal | undefined; readonly maxBytes: number },
      ) => Promise<Uint8Array>)
    | undefined;
}

/**
 * What errors call the image. A path is its own name; of a web address what may be secret is left out, a `data:` URI is
 * too long, and characters that terminals obey are left out.
 */
export function nameOf(source: ImageSource): string {
  if (typeof source !== "string" && !(source instanceof URL)) return "the image";
  const name = String(source).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "");
  if (isWeb(name)) return shownAddress(name);
  return isData(name) && name.length > 40 ? `${name.slice(0, 40)}…` : name;
}

/** Spaces and line breaks count for nothing in an address, before its scheme and in it. */
export const isWeb = (address: string): boolean => /^https?:/i.test(address.replace(/[\s\p{Cc}]/gu, ""));
const isData = (address: string): boolean => /^data:/i.test(address);

/**
 * Who gave the bytes. What is on the web is nobody's own: an address may name what only this machine can reach, so that
 * not a byte of an answer may stand in an error. A stream may come from anywhere.
 */
export function originOf(source: ImageSource): "local" | "stream" | "web" {
  if (isStream(source)) return "stream";
  const isAddress = typeof source === "string" || source instanceof URL;
  return isResponse(source) || (isAddress && isWeb(String(source))) ? "web" : "local";
}

/** By their members, not their classes, of which there may be several. */
const isStream = (source: unknown): source is ReadableStream<Uint8Array> =>
  typeof source === "object" && source !== null && "getReader" in source;
const isResponse = (source: unknown): source is Response =>
  typeof source === "object" && source !== null && "bodyUsed" in source && "ok" in source;

/**
 * @param name what errors call the image
 * @returns bytes that nobody else has
 * @throws OpenFlamingoError `image-missing`, `image-unreadable`, `image-unsupported`, `network`, `usage`
 * @throws the signal's reason, if reading was aborted
 */
export async function readSource(
  source: ImageSource,
  name: string,
  options: SourceOptions & { readonly maxBytes: number },
): Promise<Uint8Array> {
  const { maxBytes } = options;
  const reject: Reject = ([code, found, hint], cause) => {
    throw new OpenFlamingoError(code, `${name}: ${found}`, { hint, cause });
  };
  const limited = (size: number) => (size > maxBytes ? reject(tooLarge(size, maxBytes)) : size);

  if (isStream(source)) return readBody(source, options, reject);
  if (isResponse(source)) return readResponse(source, options, reject);
  if (source instanceof Blob) return readBlob(source, limited, reject);
  if (source !== "" && (typeof source === "string" || source instanceof URL)) {
    const file = isData(String(source))
      ? await readDataUri(source, reject)
      : isWeb(String(source))
        ? await readWeb(source, options, reject)
        : await readDisk(source, limited, reject);
    limited(file.length);
    return file;
  }
  return copyOf(source, limited, reject);
}

type Reject = (reason: Reason, cause?: unknown) => never;
/** The size in bytes that it is given, unless that is too large. */
type Limited = (size: number) => number;
type ReadOptions = SourceOptions & { readonly maxBytes: number };

/** A copy, since the caller may change, shrink or give away his memory while the image is decoded. */
function copyOf(source: unknown, limited: Limited, reject: Reject): Uint8Array {
  let bytes: Uint8Array | undefined;
  try {
    bytes = bytesIn(source);
  } catch (cause) {
    return reject(detached, cause);
  }
  if (!bytes) {
    const wanted = "an image must be a path, a URL object, or the bytes of an image file";
    throw new OpenFlamingoError("usage", `${wanted}; this is ${kindOf(source)}`, {
      hint: "Bytes may come as a Uint8Array, an ArrayBuffer, a Blob, a Response or a ReadableStream (of Node's streams: Readable.toWeb(stream)).",
    });
  }
  limited(bytes.length);
  return new Uint8Array(bytes);
}

async function readBlob(blob: Blob, limited: Limited, reject: Reject): Promise<Uint8Array> {
  limited(blob.size);
  const bytes = await blob.arrayBuffer().catch((cause) => reject(reasonOf(cause), cause));
  return new Uint8Array(bytes);
}

async function readResponse(response: Response, options: ReadOptions, reject: Reject): Promise<Uint8Array> {
  if (response.bodyUsed) return reject(usedBefore);
  if (response.ok) return response.body ? readBody(response.body, options, reject) : new Uint8Array();
  await response.body?.cancel().catch(() => undefined);
  return reject(answered(response.status));
}

function readBody(
  body: ReadableStream<Uint8Array>,
  { maxBytes, signal }: ReadOptions,
  reject: Reject,
): Promise<Uint8Array> {
  // Its types know Node's own streams alone; it tells of both.
  if (Readable.isDisturbed(body as unknown as Readable)) return reject(usedBefore);
  const reasons: { readonly [fault in StreamFault]: Reason } = {
    "in use": inUse,
    "not bytes": notBytes,
    "too large": tooLarge(`more than ${maxBytes.toLocaleString("en-US")}`, maxBytes),
    failed: brokeOff,
  };
  return readStream(body, { maxBytes, signal, fail: (fault, cause) => reject(reasons[fault], cause) });
}

async function readWeb(
  source: string | URL,
  { signal, fetchImage, maxBytes }: ReadOptions,
  reject: Reject,
): Promise<Uint8Array> {
  if (!fetchImage) return reject(onTheWeb);
  if (!(source instanceof URL)) return reject(webAddressAsText);
  return fetchImage(source, { signal, maxBytes }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    if (cause instanceof OpenFlamingoError) throw cause;
    return reject(notFetched, cause);
  });
}

/** Node's `fetch` reads `data:` URIs as browsers do, and reaches no network for them. */
async function readDataUri(uri: string | URL, reject: Reject): Promise<Uint8Array> {
  const bytes = await fetch(uri)
    .then((response) => response.arrayBuffer())
    .catch((cause) => reject(malformedDataUri, cause));
  return new Uint8Array(bytes);
}

async function readDisk(path: string | URL, limited: Limited, reject: Reject): Promise<Uint8Array> {
  const unreadable = (cause: NodeJS.ErrnoException) => reject(reasonOf(cause), cause);
  // Without waiting: a pipe that nobody writes to would hold a thread for ever. Windows has no such flag.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(unreadable);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) reject(isFolder);
    if (!stats.isFile()) reject(noTrueFile);
    return await readBytes(file, limited(stats.size)).catch(unreadable);
  } finally {
    await file.close();
  }
}

/** No more than the file had when it was opened, however it grows. */
async function readBytes(file: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let at = 0;
  while (at < size) {
    const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 2 ** 26));
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** Why there are no bytes: code, what was found, hint. */
type Reason = readonly [ErrorCode, string, string];

const isFolder: Reason = ["image-unreadable", "is a folder, not an image", "Name an image in it."];
const noTrueFile: Reason = [
  "image-unreadable",
  "is a pipe, a device or a socket, and only files are read, because those may never end",
  "Write the image to a file first, or pass its bytes.",
];
const usedBefore: Reason = [
  "usage",
  "was read before, and a response or a stream can be read once",
  "Read its bytes first, await response.arrayBuffer(), and pass those as often as you like.",
];
const inUse: Reason = [
  "usage",
  "is a stream that somebody else reads (it is locked)",
  "Release its reader, or pass the bytes that were read.",
];
const notBytes: Reason = [
  "image-unreadable",
  "is a stream of something else than bytes",
  "Let it carry Uint8Arrays, not text or objects.",
];
const brokeOff: Reason = [
  "image-unreadable",
  "broke off before its end",
  "Try again; the cause has the reason that the stream gave.",
];
const answered = (status: number): Reason => [
  "network",
  `is no image: the server answered ${status}`,
  "Look at response.ok before you pass a response.",
];
const detached: Reason = [
  "usage",
  "has no bytes any more: its memory was transferred",
  "Its ArrayBuffer is detached: pass a copy, or pass it before you transfer it.",
];
const tooLarge = (size: number | string, maxBytes: number): Reason => [
  "image-unreadable",
  `has ${size.toLocaleString("en-US")} bytes, the limit is ${maxBytes.toLocaleString("en-US")}`,
  "Is it an image? Save it smaller, or raise maxBytes for a file you trust.",
];
const onTheWeb: Reason = [
  "image-unsupported",
  "is on the web; only files and data: URIs are read here",
  "Fetch the image and pass its bytes.",
];
const webAddressAsText: Reason = [
  "image-unsupported",
  "is a web address given as text, and text is a path",
  "Pass a URL object, new URL(…), or fetch the image and pass its bytes.",
];
const notFetched: Reason = [
  "network",
  "could not be fetched",
  "Check the address and the connection, or fetch the image and pass its bytes.",
];
const malformedDataUri: Reason = [
  "image-unreadable",
  "is not a well-formed data: URI",
  'It must be "data:", a type such as image/png, ";base64", a comma, and all of the file in base64.',
];

/** What Node's reason for not reading a file means to the user. */
function reasonOf({ code = "for a reason that was not given" }: NodeJS.ErrnoException): Reason {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return [
        "image-missing",
        "there is no such file",
        "Check the path; a relative one starts at the folder in which the program runs.",
      ];
    case "EISDIR":
      return isFolder;
    case "ERR_INVALID_URL_SCHEME":
      return [
        "image-unsupported",
        "only file:, data: and web URLs are read",
        "Pass a path, or the image's bytes.",
      ];
    default:
      return [
        "image-unreadable",
        `cannot be read (${code})`,
        "Check that it is a file and that you may read it.",
      ];
  }
}
