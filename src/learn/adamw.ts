/**
 * AdamW over flat arrays, in pieces that stay in the processor's cache while a dozen simple instructions go over them.
 *
 * Paper: "Decoupled Weight Decay Regularization" (arXiv:1711.05101). Reference: torch.optim.AdamW.
 */
import {
  add,
  createGraph,
  div,
  type Graph,
  input,
  mul,
  output,
  sqrt,
  sub,
  sumOfSquares,
  type Tensor,
} from "../graph/index.js";

/** torch's defaults, which the reference implementation trains with. */
export const adamW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/** The numbers of one step, which are the same for all parameters but `decay`. */
export interface UpdateFactors {
  /** What gradients are multiplied with: 1, or less where their norm is too large. */
  readonly clip: number;
  readonly learningRate: number;
  readonly decay: number;
  /** Which step this is, from 1. */
  readonly step: number;
}

/** As inputs of the graph, in the order of `factors`. */
const names = ["gradient", "square", "kept", "epsilon", "rate"] as const;

/**
 * parameters, first and second moments and gradients (n), factors (5) → the same after a step, in the memory of those
 * given.
 *
 * The moments' corrections for their beginning at 0 are in the rate and in ε: p − η/(1−β₁ᵗ) · m / (√(v/(1−β₂ᵗ)) + ε) is
 * p − η√(1−β₂ᵗ)/(1−β₁ᵗ) · m / (√v + ε√(1−β₂ᵗ)).
 */
export function updateGraph(): Graph {
  const graph = createGraph("adamw");
  const flat = (name: string) => input(graph, name, "float32", ["n"]);
  const factor = (name: (typeof names)[number]) => input(graph, name, "float32", [1]);
  const [p, m, v, g] = ["parameters", "first", "second", "gradients"].map(flat) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const first = add(mul(m, adamW.beta1), mul(g, factor("gradient")));
  const second = add(mul(v, adamW.beta2), mul(mul(g, g), factor("square")));
  const step = mul(div(first, add(sqrt(second), factor("epsilon"))), factor("rate"));
  output(graph, "next parameters", sub(mul(p, factor("kept")), step), { into: "parameters" });
  output(graph, "next first", first, { into: "first" });
  output(graph, "next second", second, { into: "second" });
  return graph;
}

/** The factors as the graph takes them. */
export function factorsOf({ clip, learningRate, decay, step }: UpdateFactors): Record<string, number> {
  const ofSecond = Math.sqrt(1 - adamW.beta2 ** step);
  const values: { readonly [N in (typeof names)[number]]: number } = {
    gradient: clip * (1 - adamW.beta1),
    square: clip ** 2 * (1 - adamW.beta2),
    kept: 1 - learningRate * decay,
    epsilon: adamW.epsilon * ofSecond,
    rate: (learningRate * ofSecond) / (1 - adamW.beta1 ** step),
  };
  return values;
}

/** gradients (n) → the sum of their squares (1). */
export function squaresGraph(): Graph {
  const graph = createGraph("squares");
  const g = input(graph, "gradients", "float32", ["n"]);
  output(graph, "squares", sumOfSquares(g, { axes: [0], keep: true }));
  return graph;
}
