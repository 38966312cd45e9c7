/**
 * The wire format of protocol buffers, as much of it as an ONNX file needs: a message is a list of fields, a field is
 * a number, a text, bytes, or another message.
 */

const text = new TextEncoder();

/** One field: its number in the schema, and a value. Integers are varints; `float` is a 32-bit field. */
export type Field = readonly [
  number: number,
  value: number | bigint | string | Uint8Array | { readonly float: number },
];

/** A message with these fields in this order. */
export function message(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(([number, value]) => {
    if (typeof value === "number" || typeof value === "bigint") return [varint(number << 3), varint(value)];
    if (typeof value === "object" && "float" in value) {
      return [varint((number << 3) | 5), new Uint8Array(Float32Array.of(value.float).buffer)];
    }
    const bytes = typeof value === "string" ? text.encode(value) : value;
    return [varint((number << 3) | 2), varint(bytes.length), bytes];
  });
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Seven bits a byte, the low ones first; negative numbers as 64-bit two's complement. */
function varint(value: number | bigint): Uint8Array {
  let left = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const low = Number(left & 0x7fn);
    left >>= 7n;
    bytes.push(left > 0n ? low | 0x80 : low);
  } while (left > 0n);
  return Uint8Array.from(bytes);
}
