/**
 * Arrays of plain numbers in double precision, with which the operators are compared: every reference value is a
 * formula over indices, written without any code of the library.
 */
import { type DType, type ElementsOf, elementCount } from "../../src/base/dtypes.js";
import { type HostTensor, zeros } from "../../src/runtime/hostTensor.js";

/** Numbers in row-major order. */
export interface Plain {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** The number at an index: axes are matched from the last, and those that are missing or of size 1 are repeated. */
export function at({ shape, data }: Plain, ...index: readonly number[]): number {
  const own = index.slice(index.length - shape.length);
  return data[shape.reduce((place, size, axis) => place * size + (size === 1 ? 0 : own[axis]!), 0)]!;
}

/** An array by the formula of its elements. */
export function array(shape: readonly number[], value: (...index: number[]) => number): Plain {
  const index = shape.map(() => 0);
  const data = Array.from({ length: elementCount(shape) }, () => {
    const element = value(...index);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
    return element;
  });
  return { shape, data };
}

/** The shape that all fit into when those that are shorter, and axes of size 1, are repeated. */
export function broadcast(...shapes: readonly (readonly number[])[]): readonly number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(...shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)),
  );
}

/** A function of numbers over whole arrays, broadcast against each other. */
export function map(f: (...values: number[]) => number, ...arrays: readonly Plain[]): Plain {
  const shape = broadcast(...arrays.map((each) => each.shape));
  return array(shape, (...index) => f(...arrays.map((each) => at(each, ...index))));
}

/** Replaces every row along the last axis. */
export function overRows({ shape, data }: Plain, f: (row: readonly number[]) => readonly number[]): Plain {
  const width = shape.at(-1)!;
  const count = data.length / width;
  const rows = Array.from({ length: count }, (_, i) => f(data.slice(i * width, (i + 1) * width)));
  return { shape, data: rows.flat() };
}

export const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** The array with its axes in another order. */
export const permuted = (x: Plain, order: readonly number[]): Plain =>
  array(
    order.map((axis) => x.shape[axis]!),
    (...index) => at(x, ...order.map((_, axis) => index[order.indexOf(axis)]!)),
  );

/** Σ a · b of arrays with as many numbers. */
export const dot = (a: Plain, b: Plain): number => sumOf(a.data.map((value, i) => value * b.data[i]!));

/** The largest |a − b|, relative to the largest |b| where that is above 1; infinite for NaN and for other shapes. */
export function difference(a: Plain, b: Plain): number {
  if (a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY;
  const scale = Math.max(1, ...b.data.map(Math.abs));
  const largest = Math.max(0, ...a.data.map((value, i) => Math.abs(value - b.data[i]!))) / scale;
  return Number.isNaN(largest) ? Number.POSITIVE_INFINITY : largest;
}

/** As a backend takes it. */
export function host<D extends DType>({ shape, data }: Plain, dtype: D): HostTensor<D> {
  const tensor = zeros(dtype, shape);
  data.forEach((value, i) => {
    tensor.data[i] = (dtype === "int64" ? BigInt(value) : value) as ElementsOf[D][number];
  });
  return tensor;
}

/** As a backend gives it. */
export const plain = ({ shape, data }: HostTensor): Plain => ({ shape, data: Array.from(data, Number) });

/** Numbers from `low` up to `high` that are the same for every run (mulberry32), exact in float32. */
function random(seed: number): (low: number, high: number) => number {
  let state = seed;
  return (low, high) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.fround(low + (high - low) * (((t ^ (t >>> 14)) >>> 0) / 2 ** 32));
  };
}

/** An array of such numbers. */
export function noise(
  shape: readonly number[],
  seed: number,
  [low, high]: readonly [number, number] = [-1, 1],
): Plain {
  const next = random(seed);
  return array(shape, () => next(low, high));
}
