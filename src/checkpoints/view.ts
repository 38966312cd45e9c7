/**
 * Where a tensor's elements lie in a file, and reading them as float32.
 *
 * A view is torch's: a start, and for each axis how many elements lie between neighbours. Contiguous tensors
 * stream straight through; transposed, sliced and expanded ones are gathered, the file always being read in
 * its own order.
 */
import { bytesOf, type DType, elementCount } from "../base/dtypes.js";
import { bug } from "../base/errors.js";
import { areFinite, toFloat32 } from "../base/float32.js";
import { mapInOrder } from "../base/mapInOrder.js";
import type { ByteSource } from "./source.js";

export interface TensorView {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Elements from one index to the next, for each axis. */
  readonly strides: readonly number[];
  /** Byte of the file where the first element lies. */
  readonly start: number;
}

/** Elements read at a time: 2 MiB of float32. */
const pieceElements = 2 ** 19;
/** How many pieces are read or wait for their conversion. */
const ahead = 4;

/** Strides of a tensor whose rows lie one after the other. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (const size of shape.toReversed()) {
    strides.push(stride);
    stride *= size;
  }
  return strides.reverse();
}

/** One axis: its size, and the elements between neighbours in the file and in the result. */
interface Axis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** The axes in the file's order, the widest stride first; those that run on into each other are one. */
function axesOf({ shape, strides }: TensorView): Axis[] {
  const to = contiguousStrides(shape);
  const merged: Axis[] = [];
  const axes = shape.map((size, i): Axis => ({ size, from: strides[i]!, to: to[i]! }));
  for (const axis of axes.filter(({ size }) => size > 1).sort((a, b) => b.from - a.from)) {
    const outer = merged.at(-1);
    if (outer?.from === axis.from * axis.size && outer.to === axis.to * axis.size) {
      merged[merged.length - 1] = { ...axis, size: outer.size * axis.size };
    } else merged.push(axis);
  }
  return merged;
}

/** Elements of the file from the first to the last that the axes reach. */
const spanOf = (axes: readonly Axis[]): number =>
  axes.reduce((span, { size, from }) => span + (size - 1) * from, 1);

/** A stretch of the file that is read at once: its axes, and where it begins in the file and in the result. */
interface Piece {
  readonly axes: readonly Axis[];
  readonly span: number;
  readonly from: number;
  readonly to: number;
}

function* piecesOf(axes: readonly Axis[], from = 0, to = 0): Generator<Piece> {
  const span = spanOf(axes);
  const [outer, ...inner] = axes;
  if (!outer || span <= pieceElements) return yield { axes, span, from, to };
  // As many steps of the outermost axis as one piece holds, at least one; a single step has no such axis.
  const steps = Math.max(1, 1 + Math.floor((pieceElements - spanOf(inner)) / outer.from));
  for (let i = 0; i < outer.size; i += steps) {
    const size = Math.min(steps, outer.size - i);
    const part = size === 1 ? inner : [{ ...outer, size }, ...inner];
    yield* piecesOf(part, from + i * outer.from, to + i * outer.to);
  }
}

/** Whether a stretch of the file is one of the result too. */
const isStraight = ([outer, ...inner]: readonly Axis[]): boolean =>
  inner.length === 0 && (outer === undefined || (outer.from === 1 && outer.to === 1));

/**
 * Reads a whole tensor as float32, a few pieces ahead of their conversion: the system's threads read while this one
 * converts. Straight float32 is read to where it belongs.
 *
 * @param into as many values as the tensor has elements, row by row
 * @returns whether all that was read is finite; a number that is not may lie between those of the view
 */
export async function readView(
  source: ByteSource,
  view: TensorView,
  into: Float32Array,
  signal?: AbortSignal,
): Promise<boolean> {
  const count = elementCount(view.shape);
  if (into.length !== count) {
    throw bug(
      "internal",
      `${source.name}: a tensor of [${view.shape}] has ${count} values, the buffer holds ${into.length}`,
    );
  }
  if (count === 0) return true;
  const { dtype, start } = view;
  const width = bytesOf[dtype];
  const axes = axesOf(view);
  const isDirect = dtype === "float32" && isStraight(axes);
  // Memory that is used again, as new memory costs more than the reading.
  const length = width * Math.min(pieceElements, spanOf(axes));
  const buffers = Array.from({ length: isDirect ? 0 : ahead }, () => new Uint8Array(length));
  const memoryFor = ({ to, span }: Piece, index: number): Uint8Array =>
    isDirect
      ? new Uint8Array(into.buffer, into.byteOffset + width * to, width * span)
      : buffers[index % ahead]!.subarray(0, width * span);
  const read = async (piece: Piece, index: number) => {
    signal?.throwIfAborted();
    return { piece, bytes: await source.read(start + piece.from * width, memoryFor(piece, index)) };
  };
  let finite = true;
  for await (const { piece, bytes } of mapInOrder(piecesOf(axes), ahead, read)) {
    const part = into.subarray(piece.to, piece.to + piece.span);
    if (isDirect) finite = areFinite(part) && finite;
    else if (isStraight(piece.axes)) finite = toFloat32(bytes, dtype, part) && finite;
    else {
      const values = new Float32Array(piece.span);
      finite = toFloat32(bytes, dtype, values) && finite;
      scatter(values, piece.axes, into, piece.to);
    }
  }
  return finite;
}

/** Puts each of `values` (a stretch of the file) at its place in the result, which starts at `to`. */
function scatter(values: Float32Array, axes: readonly Axis[], into: Float32Array, to: number): void {
  const visit = (depth: number, from: number, at: number): void => {
    const axis = axes[depth]!;
    const last = depth === axes.length - 1;
    for (let i = 0; i < axis.size; i++, from += axis.from, at += axis.to) {
      if (last) into[at] = values[from]!;
      else visit(depth + 1, from, at);
    }
  };
  visit(0, 0, to);
}
