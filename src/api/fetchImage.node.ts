/** Images behind http and https: what a URL object in a prompt means. */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import { formatOf } from "../images/formats.js";
import { overLimit, readAll } from "../net/body.node.js";
import type { ConnectOptions } from "../net/connect.node.js";
import { type Answer, openUrl } from "../net/openUrl.node.js";

export interface FetchImageOptions extends ConnectOptions {
  /** A larger file is an error; 64 MiB unless given: a photograph has a few. */
  readonly maxBytes?: number | undefined;
  /** From the host's name to the last byte; 30 unless given. */
  readonly maxSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of an image file. What the server answers in its place is described and not shown: it may be meant for
 * others.
 *
 * @throws OpenFlamingoError `network` when there is no answer, no success, or the address is not allowed;
 *   `image-unreadable` for a file beyond `maxBytes` and for what begins as no image does; `usage`
 * @throws the signal's reason
 */
export async function fetchImage(
  url: URL,
  { maxBytes = 64 * 2 ** 20, maxSeconds = 30, ...options }: FetchImageOptions = {},
): Promise<Uint8Array> {
  const { allowPrivateAddresses = false } = options;
  if (typeof allowPrivateAddresses !== "boolean") {
    throw new OpenFlamingoError("usage", `allowPrivateAddresses is ${quoted(allowPrivateAddresses)}`, {
      hint: "It must be true or false.",
    });
  }
  const tooLarge = (name: string, size: number | undefined) =>
    new OpenFlamingoError("image-unreadable", `${name}: ${overLimit(size, maxBytes)}`, {
      hint: "Is it an image? Save it smaller, or raise maxBytes for a file you trust.",
    });
  const answer = await openUrl(url, { ...options, maxBytes, maxSeconds, tooLarge });
  const bytes = await readAll(answer.body);
  if (formatOf(bytes)) return bytes;
  throw new OpenFlamingoError("image-unreadable", `${answer.name}: ${described(answer, bytes.length)}`, {
    hint: "Give the address of the image file itself, not of a page that shows it.",
  });
}

function described({ status, headers }: Answer, size: number): string {
  const type = headers["content-type"];
  const kind = type === undefined ? "an answer without a type" : `an answer of type ${quoted(type)}`;
  return `is not an image but ${kind}, ${size.toLocaleString("en-US")} byte${size === 1 ? "" : "s"} (status ${status})`;
}
