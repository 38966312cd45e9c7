/**
 * The wire format of protocol buffers, as much of it as files of ONNX and TensorBoard need: a message is a list of
 * fields, a field is a number, a text, bytes, or another message.
 */

const text = new TextEncoder();

/** One field: its number in the schema, and a value. Integers are varints; `float` has 32 bits and `double` 64. */
export type Field = readonly [
  number: number,
  value: number | bigint | string | Uint8Array | { readonly float: number } | { readonly double: number },
];

/** A message with these fields in this order. */
export function message(fields: readonly Field[]): Uint8Array {
  const encoded = fields.map(([, value]) => (typeof value === "string" ? text.encode(value) : value));
  const all = new Uint8Array(encoded.reduce<number>((sum, value) => sum + mostBytes(value), 0));
  let at = 0;
  fields.forEach(([number], i) => {
    const value = encoded[i]!;
    if (typeof value === "number" || typeof value === "bigint") {
      at = writeVarint(all, at, number << 3);
      at = writeVarint(all, at, value);
    } else if ("float" in value) {
      at = writeVarint(all, at, (number << 3) | 5);
      all.set(new Uint8Array(Float32Array.of(value.float).buffer), at);
      at += 4;
    } else if ("double" in value) {
      at = writeVarint(all, at, (number << 3) | 1);
      all.set(new Uint8Array(Float64Array.of(value.double).buffer), at);
      at += 8;
    } else {
      at = writeVarint(all, at, (number << 3) | 2);
      at = writeVarint(all, at, value.length);
      all.set(value, at);
      at += value.length;
    }
  });
  return all.subarray(0, at);
}

/** A varint has at most ten bytes, one for a field's number five. */
const mostBytes = (value: Exclude<Field[1], string>): number =>
  15 + (value instanceof Uint8Array ? value.length : 0);

/** Seven bits a byte, the low ones first; negative numbers as 64-bit two's complement. @returns where it ends */
function writeVarint(to: Uint8Array, at: number, value: number | bigint): number {
  if (typeof value === "number" && value >= 0 && value < 2 ** 31) {
    let left = value;
    for (; left > 0x7f; left >>>= 7) to[at++] = (left & 0x7f) | 0x80;
    to[at++] = left;
    return at;
  }
  let left = BigInt.asUintN(64, BigInt(value));
  for (; left > 0x7fn; left >>= 7n) to[at++] = Number(left & 0x7fn) | 0x80;
  to[at++] = Number(left);
  return at;
}
