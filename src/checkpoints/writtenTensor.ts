/** Tensors on their way into a file: the bytes of their elements, in pieces. */
import { bytesOf, elementCount } from "../base/dtypes.js";
import { bug } from "../base/errors.js";
import { largestHalf, roundToHalf, toHalves } from "../base/float16.js";

/** A tensor to be written, row by row. */
export type WrittenTensor =
  | {
      /** How the numbers are kept in the file: as they are, or rounded to 16 bits. Default: float32. */
      readonly dtype?: "float32" | "float16" | "bfloat16" | undefined;
      readonly shape: readonly number[];
      readonly data: Float32Array;
    }
  | { readonly dtype: "int64"; readonly shape: readonly number[]; readonly data: BigInt64Array };

export const dtypeOf = ({ dtype = "float32" }: WrittenTensor) => dtype;

/** Bytes of all elements in the file. */
export const writtenBytes = (tensor: WrittenTensor): number => bytesOf[dtypeOf(tensor)] * tensor.data.length;

/** @throws OpenFlamingoError `internal` for a shape that is not that of the data */
export function requireShape(name: string, { shape, data }: WrittenTensor): void {
  if (elementCount(shape) === data.length) return;
  throw bug(
    "internal",
    `the tensor ${name} of shape [${shape}] is to be written from ${data.length} numbers`,
  );
}

/** Elements that are converted at a time. */
const pieceElements = 2 ** 20;

/** The bytes of the elements, little-endian as this machine's numbers are; at most 8 MiB at a time. */
export function* bytesIn(tensor: WrittenTensor): Generator<Uint8Array> {
  for (let at = 0; at < tensor.data.length; at += pieceElements) {
    const piece = tensor.data.subarray(at, at + pieceElements);
    const bits = piece instanceof BigInt64Array ? piece : as(dtypeOf(tensor), piece);
    yield new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength);
  }
}

function as(dtype: ReturnType<typeof dtypeOf>, piece: Float32Array): Float32Array | Uint16Array {
  if (dtype === "float16") return rounded(piece);
  return dtype === "bfloat16" ? toBfloat16(piece) : piece;
}

function rounded(piece: Float32Array): Uint16Array {
  const values = piece.slice();
  if (roundToHalf(values) === undefined) return toHalves(values);
  // Some are beyond the largest float16, or no numbers: they are put in as such, for whoever looks at the file.
  const finite = piece.map((x) => (Math.abs(x) <= largestHalf ? x : 0));
  roundToHalf(finite);
  const bits = toHalves(finite);
  piece.forEach((x, i) => {
    if (Number.isNaN(x)) bits[i] = 0x7e00;
    // What is nearer to 65504 than to the next power of two is still rounded down.
    else if (Math.abs(x) > largestHalf)
      bits[i] = (x < 0 ? 0x8000 : 0) | (Math.abs(x) < 65520 ? 0x7bff : 0x7c00);
  });
  return bits;
}

/** The upper halves of float32s, rounded to the nearest, of two that are equally near to the even one. */
function toBfloat16(piece: Float32Array): Uint16Array {
  const words = new Uint32Array(piece.buffer, piece.byteOffset, piece.length);
  const bits = new Uint16Array(piece.length);
  for (let i = 0; i < bits.length; i++) {
    const word = words[i]!;
    // Rounding could carry what marks a NaN out of its bits.
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    bits[i] = isNan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}
