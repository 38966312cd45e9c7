/** What a case of an operator says: its inputs, how it is written, and what comes out by a formula in plain numbers. */
import type { DType } from "../../../src/base/dtypes.js";
import type { Graph, Tensor } from "../../../src/graph/index.js";
import { noise, type Plain } from "../arrays.js";

/** Values of the sizes that a case names, for one run. */
export type Sizes = Readonly<Record<string, number>>;

/** An input: its declared shape, and the numbers it gets in a run. */
export interface Given {
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
  readonly values: (shape: readonly number[], seed: number, sizes: Sizes) => Plain;
}

/** Numbers between −1 and 1, or in the range given. */
export const floats = (shape: Given["shape"], range?: readonly [low: number, high: number]): Given => ({
  dtype: "float32",
  shape,
  values: (lengths, seed) => noise(lengths, seed, range),
});

/** Whole numbers from `low` to `high`, both included. */
export const ints = (shape: Given["shape"], [low, high]: readonly [number, number]): Given => ({
  dtype: "int32",
  shape,
  values: (lengths, seed) => {
    const { data } = noise(lengths, seed, [low, high + 1]);
    return { shape: lengths, data: data.map((value) => Math.min(Math.floor(value), high)) };
  },
});

export const bools = (shape: Given["shape"]): Given => ({ ...ints(shape, [0, 1]), dtype: "bool" });

/** The same numbers in every run. */
export const exactly = (dtype: DType, shape: readonly number[], data: readonly number[]): Given => ({
  dtype,
  shape,
  values: () => ({ shape, data }),
});

/** One case of an operator. */
export interface Case {
  /** What is special about it. */
  readonly what: string;
  readonly inputs: Readonly<Record<string, Given>>;
  readonly runs: readonly Sizes[];
  readonly write: (inputs: Readonly<Record<string, Tensor>>, graph: Graph) => Tensor | readonly Tensor[];
  readonly expected: (values: Readonly<Record<string, Plain>>, sizes: Sizes) => Plain | readonly Plain[];
}

/** Cases by the name of the operator. */
export type Cases = Readonly<Record<string, readonly Case[]>>;

/** Every named size once with a few and once with a single one: nothing may depend on the numbers. */
const usualRuns: readonly Sizes[] = [
  { b: 2, t: 3 },
  { b: 3, t: 1 },
  { b: 1, t: 4 },
];

/** A case whose functions know the names of its inputs. */
export function testCase<Name extends string>(
  what: string,
  inputs: Readonly<Record<Name, Given>>,
  write: (inputs: Readonly<Record<Name, Tensor>>, graph: Graph) => Tensor | readonly Tensor[],
  expected: (values: Readonly<Record<Name, Plain>>, sizes: Sizes) => Plain | readonly Plain[],
  runs: readonly Sizes[] = usualRuns,
): Case {
  return { what, inputs, runs, write, expected } as Case;
}
