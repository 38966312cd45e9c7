/** Bytes → lines, of at most so many bytes each. */

/** A line without its end; undefined where it is longer than the limit. */
export type Line = Uint8Array | undefined;

const newline = 0x0a;

/**
 * Cuts a stream of bytes at line feeds. A carriage return before one stays: JSON takes it for space.
 *
 * @param longest bytes; of a longer line nothing is kept
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  longest: number,
): AsyncGenerator<Line, void> {
  let parts: Uint8Array[] = [];
  let length = 0;
  const end = (): Line => {
    const line = length > longest ? undefined : joined(parts, length);
    parts = [];
    length = 0;
    return line;
  };
  const add = (part: Uint8Array) => {
    length += part.length;
    if (length > longest) parts = [];
    else if (part.length > 0) parts.push(part.slice()); // a stream may use its memory again
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      add(chunk.subarray(from, at));
      yield end();
      from = at + 1;
    }
    add(chunk.subarray(from));
  }
  if (length > 0) yield end();
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
