/** From a graph to what a runtime loads, and the list of weights that it must be given. */
import type { DType } from "../base/dtypes.js";
import {
  type Dim,
  evaluateDim,
  type Graph,
  nameOf,
  originOf,
  showDim,
  type Tensor,
  type WeightPart,
} from "../graph/index.js";
import { type Dimension, isInFile, type Port, type Program, type Weight } from "../runtime/runtime.js";
import { emit } from "./emit.js";
import { lower } from "./lower.js";

/** A weight of a program, and where it comes from in the checkpoint. */
export interface WeightUse {
  /** The program's name for it. */
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The checkpoint's name for it, and its shape there. */
  readonly tensor: string;
  readonly from: readonly number[];
  /** Which part of it, and in which format; undefined: all of it, as it is. */
  readonly part?: WeightPart | undefined;
}

export interface Compiled {
  /** The program, still without the memory of its weights. */
  readonly program: Omit<Program, "weights">;
  readonly weights: readonly WeightUse[];
  /** The program with its weights. @param weightOf the weight of this name */
  with(weightOf: (name: string) => Weight): Program;
}

/** @throws OpenFlamingoError `internal` for an operator that has no way to ONNX */
export function compile(graph: Graph): Compiled {
  const lowered = lower(graph);
  const weights = weightUses(lowered);
  const program = {
    name: graph.name,
    bytes: emit(lowered),
    inputs: [...graph.inputs].map(portOf),
    outputs: [...graph.outputs].map(portOf),
    aliases: aliasesOf(graph),
  };
  return {
    program,
    weights,
    with(weightOf) {
      const given = new Map(weights.map(({ name }) => [name, weightOf(name)]));
      const placeOf = (name: string) => {
        const weight = given.get(name)!;
        return isInFile(weight) ? weight : undefined;
      };
      const inFiles = [...given.values()].some(isInFile);
      return { ...program, ...(inFiles && { bytes: emit(lowered, placeOf) }), weights: given };
    },
  };
}

/** What a graph needs of a checkpoint; of one that is compiled, `Compiled.weights`. */
export const weightUses = ({ weights }: Pick<Graph, "weights">): readonly WeightUse[] =>
  [...weights].map(([name, { node, dtype, shape }]) => {
    const { name: tensor, from, part } = originOf(node);
    return { name, dtype, shape: shape as readonly number[], tensor, from, part };
  });

const portOf = ([name, { dtype, shape }]: readonly [string, Tensor]): Port => ({
  name,
  dtype,
  shape: shape.map(dimensionOf),
});

/** A size as a runtime takes it: a number, a name, or something that it can evaluate. */
function dimensionOf(dim: Dim): Dimension {
  const shown = showDim(dim);
  if (typeof dim === "number" || /^\w+$/.test(shown)) return typeof dim === "number" ? dim : shown;
  return { evaluate: (values) => evaluateDim(dim, values), toString: () => shown };
}

/** Outputs that may be written into the memory of an input: the results of operators that say so. */
function aliasesOf(graph: Graph): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>();
  for (const [name, { node, index }] of graph.outputs) {
    const alias = node.op.aliases[index];
    const source = alias === undefined ? undefined : node.inputs[node.op.inputs.indexOf(alias)];
    if (source && graph.inputs.get(nameOf(source.node)) === source) aliases.set(name, nameOf(source.node));
  }
  return aliases;
}
