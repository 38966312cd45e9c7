/** The body of an answer: whether it is what was asked for, how long it is, and its bytes within the limits. */
import type { IncomingMessage } from "node:http";
import { quoted } from "../base/quoted.js";
import type { Fail } from "./connect.node.js";
import type { Deadline } from "./deadline.js";

/** The bytes that are wanted, the first and the last one counted from 0; up to the end if there is no last one. */
export interface ByteRange {
  readonly first: number;
  readonly last?: number | undefined;
}

/**
 * The bytes of the body, if the server says so.
 *
 * @param range what was asked for
 * @throws the error of `fail` for an answer that is not the file, or the range of it, as it is
 */
export function sizeOf(
  { statusCode, headers }: IncomingMessage,
  range: ByteRange | undefined,
  fail: Fail,
): number | undefined {
  if (statusCode !== 200 && !(statusCode === 206 && range))
    throw fail(`the server answers ${statusCode}`, { reason: "status", status: statusCode ?? 0 });
  // Nothing is unpacked, so a small answer cannot become a large one.
  const codings = `${headers["content-encoding"] ?? ""},${headers["transfer-encoding"] ?? ""}`.split(",");
  const packed = codings
    .map((coding) => coding.trim())
    .find((coding) => !/^(identity|chunked)?$/i.test(coding));
  if (packed !== undefined) {
    throw fail(
      `the server sends it as ${quoted(packed)}, though asked not to`,
      { reason: "content" },
      "Fetch the file by other means.",
    );
  }
  const stated = headers["content-length"] === undefined ? undefined : Number(headers["content-length"]);
  if (statusCode === 200 || !range) return stated;
  const [, first, last] = /^bytes (\d+)-(\d+)\/(?:\d+|\*)$/.exec(headers["content-range"] ?? "") ?? [];
  const size = Number(last) - Number(first) + 1;
  const isAsked = Number(first) === range.first && Number(last) <= (range.last ?? Infinity);
  if (!(isAsked && size > 0 && (stated ?? size) === size)) {
    throw fail("the server answers with other bytes of the file than was asked for", { reason: "content" });
  }
  return size;
}

/** How a body beyond a limit is reported, its size being undefined where the server did not say it. */
export function overLimit(size: number | undefined, maxBytes: number): string {
  const limit = maxBytes.toLocaleString("en-US");
  return `has ${size?.toLocaleString("en-US") ?? `more than ${limit}`} bytes, the limit is ${limit}`;
}

/** The bytes as they come; the connection is closed when they end, in whatever way. */
export async function* readBody(
  response: IncomingMessage,
  {
    size,
    maxBytes,
    tooLarge,
    deadline,
    fail,
  }: {
    readonly size: number | undefined;
    readonly maxBytes: number;
    readonly tooLarge: (size: number | undefined) => Error;
    readonly deadline: Deadline;
    readonly fail: Fail;
  },
): AsyncGenerator<Uint8Array, void> {
  const { signal } = deadline;
  const brokenOff = () =>
    signal.aborted ? signal.reason : fail("the answer broke off", { reason: "connection" });
  let bytes = 0;
  try {
    const parts = response[Symbol.asyncIterator]();
    for (;;) {
      const next = await parts.next().catch(() => {
        throw brokenOff();
      });
      signal.throwIfAborted();
      if (next.done) break;
      bytes += next.value.length;
      if (!(bytes <= maxBytes)) throw tooLarge(undefined);
      yield next.value;
    }
    if (!response.complete || bytes !== (size ?? bytes)) throw brokenOff();
  } finally {
    response.destroy();
    deadline.end();
  }
}

/**
 * All bytes in one piece.
 *
 * They are copied as they come: a server may send each byte as a part of its own, and a list of those takes a hundred
 * times their room. Room is taken for what has come, not for what the server says will come.
 */
export async function readAll(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  let bytes = new Uint8Array(2 ** 16);
  let size = 0;
  for await (const part of body) {
    if (size + part.length > bytes.length) {
      const larger = new Uint8Array(Math.max(2 * bytes.length, size + part.length));
      larger.set(bytes.subarray(0, size));
      bytes = larger;
    }
    bytes.set(part, size);
    size += part.length;
  }
  return bytes.subarray(0, size);
}
