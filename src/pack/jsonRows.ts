/** Rows of JSON Lines: an object a line. */
import { parseJsonObject } from "../base/json.js";
import { linesOf } from "./lines.js";
import type { AnyRow } from "./rows.js";

/** Bytes of a line: documents may hold their images. */
export const longestLine = 64 * 2 ** 20;

/**
 * Lines that hold nothing but space are no rows.
 *
 * @param list number of the list
 */
export async function* jsonRows(
  chunks: AsyncIterable<Uint8Array>,
  list: number,
  longest = longestLine,
): AsyncGenerator<AnyRow, void> {
  let number = 0;
  for await (const line of linesOf(chunks, longest)) {
    if (line === undefined) {
      yield { list, number: ++number, bytes: 0, fault: "too-long" };
      continue;
    }
    const text = textOf(line);
    if (text === undefined) yield { list, number: ++number, bytes: 0, fault: "not-utf8" };
    else if (text.trim() !== "") yield rowOf(text, { list, number: ++number, bytes: 2 * line.length });
  }
}

function rowOf(text: string, at: { list: number; number: number; bytes: number }): AnyRow {
  try {
    return { ...at, values: parseJsonObject(text, (what) => new Error(what)) };
  } catch {
    return { ...at, bytes: 0, fault: "not-json" };
  }
}

/** Text from UTF-8, without a byte order mark; undefined where the bytes are none. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
