/** The bytes of a picture file, from wherever it is: memory, disk, a `data:` URI, or the web by another's hand. */
import { readFile } from "node:fs/promises";
import { type ErrorCode, OpenFlamingoError } from "../base/errors.js";
import type { PictureSource } from "./picture.js";

export interface SourceOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Gets the picture behind a URL object of `http:` or `https:`; without it such a picture is refused.
   *
   * Its OpenFlamingoErrors reach the user as they are, other errors as `network`.
   */
  readonly fetchPicture?:
    | ((url: URL, options: { signal?: AbortSignal | undefined }) => Promise<Uint8Array>)
    | undefined;
}

/** What errors call the picture. A path or an address is its own name, but a `data:` URI is too long for one. */
export function nameOf(source: PictureSource): string {
  if (source instanceof Uint8Array || source instanceof Blob) return "the picture";
  const name = String(source);
  return isData(name) && name.length > 40 ? `${name.slice(0, 40)}…` : name;
}

const isWeb = (address: string): boolean => /^https?:/i.test(address);
const isData = (address: string): boolean => /^data:/i.test(address);

/**
 * @param name what errors call the picture
 * @throws OpenFlamingoError `picture-missing`, `picture-unreadable`, `picture-unsupported`, `network`
 * @throws the signal's reason, if fetching was aborted
 */
export async function readSource(
  source: PictureSource,
  name: string,
  { signal, fetchPicture }: SourceOptions,
): Promise<Uint8Array> {
  const refuse = ([code, found, hint]: Reason, cause?: unknown): never => {
    throw new OpenFlamingoError(code, `${name}: ${found}`, { hint, cause });
  };
  const unreadable = (cause: NodeJS.ErrnoException) => refuse(reasonOf(cause.code), cause);

  if (source instanceof Uint8Array) return source;
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer().catch(unreadable));
  if (isData(String(source))) return readDataUri(source).catch((cause) => refuse(malformedDataUri, cause));
  if (!isWeb(String(source))) return readFile(source).catch(unreadable);

  if (!fetchPicture) return refuse(onTheWeb);
  if (!(source instanceof URL)) return refuse(webAddressAsText);
  return fetchPicture(source, { signal }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    if (cause instanceof OpenFlamingoError) throw cause;
    return refuse(notFetched, cause);
  });
}

/** Node's `fetch` reads `data:` URIs as browsers do, and reaches no network for them. */
async function readDataUri(uri: string | URL): Promise<Uint8Array> {
  const response = await fetch(uri);
  return new Uint8Array(await response.arrayBuffer());
}

/** Why there are no bytes: code, what was found, hint. */
type Reason = readonly [ErrorCode, string, string];

const onTheWeb: Reason = [
  "picture-unsupported",
  "is on the web; only files and data: URIs are read here",
  "Fetch the picture and pass its bytes.",
];
const webAddressAsText: Reason = [
  "picture-unsupported",
  "is a web address given as text, and text is a path",
  "Pass a URL object, new URL(…), or fetch the picture and pass its bytes.",
];
const notFetched: Reason = [
  "network",
  "could not be fetched",
  "Check the address and the connection, or fetch the picture and pass its bytes.",
];
const malformedDataUri: Reason = [
  "picture-unreadable",
  "is not a well-formed data: URI",
  'It must be "data:", a type such as image/png, ";base64", a comma, and all of the file in base64.',
];

/** What Node's reason for not reading a file means to the user. */
function reasonOf(code = "for a reason that was not given"): Reason {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return [
        "picture-missing",
        "there is no such file",
        "Check the path; a relative one starts at the folder in which the program runs.",
      ];
    case "EISDIR":
      return ["picture-unreadable", "is a folder, not a picture", "Name a picture in it."];
    case "ERR_INVALID_URL_SCHEME":
      return [
        "picture-unsupported",
        "only file:, data: and web URLs are read",
        "Pass a path, or the picture's bytes.",
      ];
    default:
      return [
        "picture-unreadable",
        `cannot be read (${code})`,
        "Check that it is a file and that you may read it.",
      ];
  }
}
