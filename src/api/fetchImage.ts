/** Images behind http and https: what a URL object in a prompt means. */
import { OpenFlamingoError } from "../base/errors.js";

/** Larger files are not taken from a network; a photograph has a few MiB. */
const mostBytes = 64 * 2 ** 20;

/** @throws OpenFlamingoError `network` when there is no answer, no success, or too much */
export async function fetchImage(
  url: URL,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Uint8Array> {
  const failed = (what: string, cause?: unknown) =>
    new OpenFlamingoError("network", `${url}: ${what}`, {
      hint: "Does the address work in a browser?",
      cause,
    });
  const response = await fetch(url, signal ? { signal } : {}).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw failed("cannot be fetched", cause);
  });
  if (!response.ok) throw failed(`the server answers ${response.status}`);
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > mostBytes) throw failed(`is larger than ${mostBytes} bytes`);
      parts.push(part);
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause instanceof OpenFlamingoError ? cause : failed("the answer broke off", cause);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
