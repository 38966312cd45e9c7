/** The bytes of an image file, from wherever it is: memory, disk, a `data:` URI, or the web by another's hand. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { type ErrorCode, OpenFlamingoError } from "../base/errors.js";
import { shownAddress } from "../base/webAddress.js";
import type { ImageSource } from "./image.js";

export interface SourceOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Gets the image behind a URL object of `http:` or `https:`; without it such an image is rejected.
   *
   * Its OpenFlamingoErrors reach the user as they are, other errors as `network`.
   */
  readonly fetchImage?:
    | ((url: URL, options: { signal?: AbortSignal | undefined }) => Promise<Uint8Array>)
    | undefined;
}

/**
 * What errors call the image. A path is its own name; of a web address what may be secret is left out, a `data:` URI
 * is too long, and control characters, which terminals obey, are left out.
 */
export function nameOf(source: ImageSource): string {
  if (source instanceof Uint8Array || source instanceof Blob) return "the image";
  const name = String(source).replace(/\p{Cc}/gu, "");
  if (isWeb(name)) return shownAddress(name);
  return isData(name) && name.length > 40 ? `${name.slice(0, 40)}…` : name;
}

/** Spaces and line breaks count for nothing in an address, before its scheme and in it. */
export const isWeb = (address: string): boolean => /^https?:/i.test(address.replace(/[\s\p{Cc}]/gu, ""));
const isData = (address: string): boolean => /^data:/i.test(address);

/**
 * @param name what errors call the image
 * @throws OpenFlamingoError `image-missing`, `image-unreadable`, `image-unsupported`, `network`, `usage`
 * @throws the signal's reason, if fetching was aborted
 */
export async function readSource(
  source: ImageSource,
  name: string,
  { signal, fetchImage, maxBytes }: SourceOptions & { readonly maxBytes: number },
): Promise<Uint8Array> {
  const reject: Reject = ([code, found, hint], cause) => {
    throw new OpenFlamingoError(code, `${name}: ${found}`, { hint, cause });
  };
  if (
    !(
      typeof source === "string" ||
      source instanceof URL ||
      source instanceof Uint8Array ||
      source instanceof Blob
    )
  ) {
    throw new OpenFlamingoError("usage", `an image is ${source === null ? "null" : `a ${typeof source}`}`, {
      hint: "Give a path, a URL object, or the bytes of an image file.",
    });
  }
  const limited = (size: number) => (size > maxBytes ? reject(tooLarge(size, maxBytes)) : size);

  let file: Uint8Array;
  if (source instanceof Uint8Array) file = source;
  else if (source instanceof Blob) file = await readBlob(source, limited, reject);
  else if (isData(String(source))) file = await readDataUri(source, reject);
  else if (!isWeb(String(source))) file = await readDisk(source, limited, reject);
  else if (!fetchImage) return reject(onTheWeb);
  else if (!(source instanceof URL)) return reject(webAddressAsText);
  else {
    file = await fetchImage(source, { signal }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      if (cause instanceof OpenFlamingoError) throw cause;
      return reject(notFetched, cause);
    });
  }
  limited(file.length);
  return file;
}

type Reject = (reason: Reason, cause?: unknown) => never;
/** The size in bytes that it is given, unless that is too large. */
type Limited = (size: number) => number;

async function readBlob(blob: Blob, limited: Limited, reject: Reject): Promise<Uint8Array> {
  limited(blob.size);
  const bytes = await blob.arrayBuffer().catch((cause) => reject(reasonOf(cause), cause));
  return new Uint8Array(bytes);
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
const tooLarge = (size: number, maxBytes: number): Reason => [
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
