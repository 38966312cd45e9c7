/**
 * Constants: numbers that are known while the model is written. A constant keeps the bytes of its type, so that what a
 * lowering writes is what was checked; a node's key holds a digest of them, since a table can be large.
 */
import { bytesOf, type DType, halfToFloat } from "../base/dtypes.js";
import { bfloat16ToFloat, floatToBfloat16, floatToHalf } from "../base/halfPrecision.js";
import { product, showShape } from "./size.js";
import { addNode, constantOp, type Graph, type Node, shapeError, type Tensor } from "./tensor.js";

/** Elements of a type, little-endian; as JSON, which is what a node's key is made of, their number and digest. */
interface Elements {
  readonly bytes: Uint8Array;
  toJSON(): string;
}

/**
 * One number as a scalar, or a list with its shape.
 *
 * @param shape one axis when left out
 * @throws OpenFlamingoError `shape` for numbers that do not fill the shape, or that the type cannot hold: not finite,
 *   too large, a fraction among whole numbers, or so small that nothing but 0 would be left
 */
export function constant(
  graph: Graph,
  values: number | ArrayLike<number>,
  { dtype = "float32", shape }: { dtype?: DType; shape?: readonly number[] } = {},
): Tensor {
  const list = typeof values === "number" ? [values] : values;
  const dims = shape ?? (typeof values === "number" ? [] : [list.length]);
  if (list.length !== product(dims)) {
    throw shapeError("constant", `${list.length} numbers do not fill ${showShape(dims)}`);
  }
  return addNode(graph, constantOp, [], { dtype, shape: dims, elements: elementsOf(list, dtype) })[0]!;
}

/** The bytes of a constant's elements, little-endian. */
export const bytesOfConstant = ({ attributes }: Node): Uint8Array => (attributes.elements as Elements).bytes;

/** The numbers of a constant as its type holds them; the first `most` of them. */
export function valuesOfConstant({ attributes, results }: Node, most = Number.POSITIVE_INFINITY): number[] {
  const { bytes } = attributes.elements as Elements;
  const { dtype } = results[0]!;
  const size = bytesOf[dtype];
  const count = Math.min(most, bytes.length / size);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, i) => codecs[dtype].read(view, i * size));
}

function elementsOf(values: ArrayLike<number>, dtype: DType): Elements {
  const { read, write } = codecs[dtype];
  const size = bytesOf[dtype];
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    // Kernels disagree about rows of −∞, and what is not finite has no place in a model.
    const isHeld = dtype.includes("float")
      ? Number.isFinite(value)
      : dtype === "bool"
        ? value === 0 || value === 1
        : Number.isSafeInteger(value);
    if (isHeld) write(view, i * size, value);
    const held = read(view, i * size);
    const isKept = dtype.includes("float")
      ? Number.isFinite(held) && (held !== 0 || value === 0)
      : held === value;
    if (!isHeld || !isKept) throw shapeError("constant", `${value} is no ${dtype}`);
  }
  const digest = `${values.length} ${digestOf(bytes)}`;
  return { bytes, toJSON: () => digest };
}

interface Codec {
  read(view: DataView, at: number): number;
  write(view: DataView, at: number, value: number): void;
}

const byte: Codec = {
  read: (view, at) => view.getUint8(at),
  write: (view, at, value) => view.setUint8(at, value),
};

const codecs: { readonly [D in DType]: Codec } = {
  float64: {
    read: (view, at) => view.getFloat64(at, true),
    write: (view, at, value) => view.setFloat64(at, value, true),
  },
  float32: {
    read: (view, at) => view.getFloat32(at, true),
    write: (view, at, value) => view.setFloat32(at, value, true),
  },
  float16: {
    read: (view, at) => halfToFloat(view.getUint16(at, true)),
    write: (view, at, value) => view.setUint16(at, floatToHalf(value), true),
  },
  bfloat16: {
    read: (view, at) => bfloat16ToFloat(view.getUint16(at, true)),
    write: (view, at, value) => view.setUint16(at, floatToBfloat16(value), true),
  },
  int64: {
    read: (view, at) => Number(view.getBigInt64(at, true)),
    write: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  },
  int32: {
    read: (view, at) => view.getInt32(at, true),
    write: (view, at, value) => view.setInt32(at, value, true),
  },
  int16: {
    read: (view, at) => view.getInt16(at, true),
    write: (view, at, value) => view.setInt16(at, value, true),
  },
  int8: {
    read: (view, at) => view.getInt8(at),
    write: (view, at, value) => view.setInt8(at, value),
  },
  uint8: byte,
  bool: byte,
};

/** 64 bits of FNV-1a (Fowler, Noll and Vo), in two halves: products of 64 bits do not fit a JavaScript number. */
export function digestOf(bytes: Uint8Array): string {
  const prime = 0x1b3; // and 2^40
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (const each of bytes) {
    low = (low ^ each) >>> 0;
    const product = low * prime; // below 2^41
    high = (Math.imul(high, prime) + (low << 8) + Math.floor(product / 2 ** 32)) >>> 0;
    low = product >>> 0;
  }
  return [high, low].map((half) => half.toString(16).padStart(8, "0")).join("");
}
