/**
 * Where a tensor's elements lie in a file, and reading them as float32.
 *
 * A view is torch's: a start, and for each axis how many elements lie between neighbours. Contiguous tensors
 * stream straight through; transposed, sliced and expanded ones are gathered, the file always being read in
 * its own order.
 */
import { bytesOf, type DType, elementCount, toFloat32 } from "../base/dtypes.js";
import { bug } from "../base/errors.js";
import type { ByteSource } from "./source.js";

export interface TensorView {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Elements from one index to the next, for each axis. */
  readonly strides: readonly number[];
  /** Byte of the file where the first element lies. */
  readonly start: number;
}

/** Elements read at a time: 4 MiB of float32. */
const pieceElements = 2 ** 20;

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

/**
 * Reads a whole tensor as float32, a few MiB at a time.
 *
 * @param into as many values as the tensor has elements, row by row
 */
export async function readView(
  source: ByteSource,
  view: TensorView,
  into: Float32Array,
  signal?: AbortSignal,
): Promise<void> {
  const count = elementCount(view.shape);
  if (into.length !== count) {
    throw bug(
      "internal",
      `${source.name}: a tensor of [${view.shape}] has ${count} values, the buffer holds ${into.length}`,
    );
  }
  const { dtype, start } = view;
  const width = bytesOf[dtype];

  const read = async (axes: readonly Axis[], from: number, to: number): Promise<void> => {
    const span = spanOf(axes);
    const [outer, ...inner] = axes;
    if (outer && span > pieceElements) {
      // As many steps of the outermost axis as one piece holds, at least one; a single step has no such axis.
      const steps = Math.max(1, 1 + Math.floor((pieceElements - spanOf(inner)) / outer.from));
      for (let i = 0; i < outer.size; i += steps) {
        const size = Math.min(steps, outer.size - i);
        const part = size === 1 ? inner : [{ ...outer, size }, ...inner];
        await read(part, from + i * outer.from, to + i * outer.to);
      }
      return;
    }
    signal?.throwIfAborted();
    const bytes = await source.read(start + from * width, span * width);
    if (inner.length === 0 && (outer === undefined || (outer.from === 1 && outer.to === 1))) {
      toFloat32(bytes, dtype, into.subarray(to, to + span));
    } else {
      const values = new Float32Array(span);
      toFloat32(bytes, dtype, values);
      scatter(values, axes, into, to);
    }
  };
  if (count > 0) await read(axesOf(view), 0, 0);
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
