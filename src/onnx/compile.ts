/** From a graph to what a runtime loads, and the list of weights that it must be given. */
import type { DType } from "../base/dtypes.js";
import { bug } from "../base/errors.js";
import {
  type Dim,
  evaluateDim,
  type Graph,
  type Node,
  nameOf,
  originOf,
  type Shape,
  showDim,
  type Tensor,
  type WeightPart,
} from "../graph/index.js";
import { type Dimension, isInFile, type Port, type Program, type Weight } from "../runtime/runtime.js";
import { declareWeights } from "./declareWeights.js";
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

/** A compiled graph as plain data, which can be kept in a file: `programFrom` makes a program of it. */
export interface CompiledGraph {
  readonly name: string;
  /** The ONNX file, without the declarations of the weights. */
  readonly model: Uint8Array;
  readonly inputs: readonly PlainPort[];
  readonly outputs: readonly PlainPort[];
  readonly weights: readonly WeightUse[];
  /** As in `Program`: output, input. */
  readonly aliases: readonly (readonly [string, string])[];
}

/** An input or output with its sizes as the language has them. */
interface PlainPort {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface Compiled {
  readonly graph: CompiledGraph;
  /** The program, still without the memory of its weights. */
  readonly program: Omit<Program, "weights">;
  readonly weights: readonly WeightUse[];
  /** The program with its weights. @param weightOf the weight of this name */
  with(weightOf: (name: string) => Weight): Program;
}

/** @throws OpenFlamingoError `internal` for an operator that has no way to ONNX */
export function compile(graph: Graph): Compiled {
  const lowered = lower(graph);
  return programFrom({
    name: graph.name,
    model: emit(lowered),
    inputs: [...graph.inputs].map(plainPort),
    outputs: [...graph.outputs].map(plainPort),
    weights: weightUses(lowered),
    aliases: [...aliasesOf(graph), ...donationsOf(lowered)],
  });
}

export function programFrom(graph: CompiledGraph): Compiled {
  const { name, model, weights } = graph;
  const program = {
    name,
    bytes: declareWeights(model, weights),
    inputs: graph.inputs.map(portOf),
    outputs: graph.outputs.map(portOf),
    aliases: new Map(graph.aliases),
  };
  return {
    graph,
    program,
    weights,
    with(weightOf) {
      const given = new Map(weights.map(({ name }) => [name, weightOf(name)]));
      const placeOf = (name: string) => {
        const weight = given.get(name)!;
        return isInFile(weight) ? weight : undefined;
      };
      const inFiles = [...given.values()].some(isInFile);
      const bytes = inFiles ? declareWeights(model, weights, placeOf) : program.bytes;
      return { ...program, bytes, weights: given };
    },
  };
}

/** What a graph needs of a checkpoint; of one that is compiled, `Compiled.weights`. */
export const weightUses = ({ weights }: Pick<Graph, "weights">): readonly WeightUse[] =>
  [...weights].map(([name, { node, dtype, shape }]) => {
    const { name: tensor, from, part } = originOf(node);
    return { name, dtype, shape: shape as readonly number[], tensor, from, part };
  });

const plainPort = ([name, { dtype, shape }]: readonly [string, Tensor]): PlainPort => ({
  name,
  dtype,
  shape,
});

const portOf = ({ shape, ...port }: PlainPort): Port => ({ ...port, shape: shape.map(dimensionOf) });

/** A size as a runtime takes it: a number, a name, or something that it can evaluate. */
function dimensionOf(dim: Dim): Dimension {
  const shown = showDim(dim);
  if (typeof dim === "number" || /^\w+$/.test(shown)) return typeof dim === "number" ? dim : shown;
  return { evaluate: (values) => evaluateDim(dim, values), toString: () => shown };
}

/**
 * Outputs that the graph itself says may be written into the memory of an input.
 *
 * @throws OpenFlamingoError `internal` where a node could read that input after the output was written
 */
function donationsOf({ donated, inputs, outputs, nodes }: Graph): CompiledGraph["aliases"] {
  for (const [name, into] of donated) {
    const [written, given] = [outputs.get(name)!.node, inputs.get(into)!];
    const before = new Set<Node>([written]);
    for (const node of before) for (const each of node.inputs) if (each) before.add(each.node);
    const late = nodes.find((node) => node.inputs.includes(given) && !before.has(node));
    if (late) throw bug("internal", `${name} cannot be written into ${into}, which is read elsewhere`);
  }
  return [...donated];
}

/** Outputs that may be written into the memory of an input: the results of operators that say so. */
function aliasesOf(graph: Graph): CompiledGraph["aliases"] {
  const aliases: [string, string][] = [];
  for (const [name, { node, index }] of graph.outputs) {
    const alias = node.op.aliases[index];
    const source = alias === undefined ? undefined : node.inputs[node.op.inputs.indexOf(alias)];
    if (source && graph.inputs.get(nameOf(source.node)) === source) aliases.push([name, nameOf(source.node)]);
  }
  return aliases;
}
