/** Types of numbers, their sizes and arrays, and the way from half precision to float32. */

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

/** The array that holds the elements of each type; halves are kept as their 16 bits. */
export interface ElementsOf {
  float64: Float64Array;
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

interface ArrayType<A> {
  readonly name: string;
  new (length: number): A;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): A;
}

export const arrayTypes: { readonly [D in DType]: ArrayType<ElementsOf[D]> } = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Elements of a tensor, 1 for a scalar; above 2^53 no longer exact, but never below it. */
export const elementCount = (shape: readonly number[]): number =>
  shape.includes(0) ? 0 : shape.reduce((count, size) => count * size, 1);

/** ONNX's numbers for types (`TensorProto.DataType`), in its files and in its runtime's interface. */
export const onnxTypes: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

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
 * Converts little-endian elements to float32 (round to nearest for float64, int64 and int32).
 *
 * @param bytes whole elements of `dtype`; any alignment
 * @param into as many values as `bytes` has elements
 */
export function toFloat32(bytes: Uint8Array, dtype: DType, into: Float32Array): void {
  if (dtype === "int64") {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < into.length; i++) into[i] = Number(view.getBigInt64(8 * i, true));
    return;
  }
  // Typed arrays are several times faster than a DataView, and want their elements aligned.
  const { buffer, byteOffset } = bytes.byteOffset % bytesOf[dtype] === 0 ? bytes : bytes.slice();
  const values = new arrayTypes[dtype](buffer as ArrayBuffer, byteOffset, into.length);
  if (dtype === "float16") {
    const table = halfTable();
    for (let i = 0; i < values.length; i++) into[i] = table[values[i]!]!;
  } else if (dtype === "bfloat16") {
    // A bfloat16 is the upper half of a float32.
    const words = new Uint32Array(into.buffer, into.byteOffset, into.length);
    for (let i = 0; i < values.length; i++) words[i] = values[i]! << 16;
  } else into.set(values);
}
