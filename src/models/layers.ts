/** What all models are made of: parameters by their names in the checkpoint, and the layers that hold them. */
import * as graph from "../graph/index.js";
import { type Graph, gelu, type Tensor, weight } from "../graph/index.js";

/** Every layer normalisation of the system has this ε. */
const epsilon = 1e-5;

/** A place in the checkpoint: `p.at("attn").at("to_q").tensor("weight", [512, 1024])`. */
export interface Params {
  readonly graph: Graph;
  at(name: string | number): Params;
  tensor(name: string, shape: readonly number[]): Tensor;
}

/** What stands for the parameter of this name and shape. */
export type ParameterSource = (g: Graph, name: string, shape: readonly number[]) => Tensor;

/**
 * The parameters of a graph whose names begin with `prefix`.
 *
 * @param source weights of the checkpoint, unless it says otherwise: of what is trained, inputs
 */
export const params = (g: Graph, prefix = "", source: ParameterSource = weight): Params => ({
  graph: g,
  at: (name) => params(g, `${prefix}${name}.`, source),
  tensor: (name, shape) => source(g, prefix + name, shape),
});

/** The size of the last axis, which in a model is always a number. */
export const widthOf = (x: Tensor): number => x.shape.at(-1) as number;

/** x (…, in) → (…, out); `weight` (out, in) and, if `bias`, `bias` (out). */
export const linear = (p: Params, x: Tensor, out: number, { bias = false } = {}): Tensor =>
  graph.linear(x, p.tensor("weight", [out, widthOf(x)]), bias ? p.tensor("bias", [out]) : undefined);

/** x (…, d) → (…, d); `weight` (d) and, unless `bias` is false, `bias` (d). */
export const layerNorm = (p: Params, x: Tensor, { bias = true } = {}): Tensor => {
  const d = widthOf(x);
  return graph.layerNorm(x, p.tensor("weight", [d]), bias ? p.tensor("bias", [d]) : undefined, { epsilon });
};

/**
 * Norm, wider by `mlpRatio`, GELU, back: x (…, d) → (…, d). Without biases.
 *
 * Reference: open_flamingo/src/helpers.py, `FeedForward`; its `nn.Sequential` names the parts 0, 1 and 3.
 */
export function feedForward(p: Params, x: Tensor, { mlpRatio = 4 } = {}): Tensor {
  const d = widthOf(x);
  const inner = linear(p.at(1), layerNorm(p.at(0), x), mlpRatio * d); // (…, mlpRatio·d)
  return linear(p.at(3), gelu(inner), d); // (…, d)
}
