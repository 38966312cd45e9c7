/**
 * A language model as it is trained: MPT, tokens to the loss of the next ones, and the gradients of all parameters.
 *
 * Reference: llm-foundry, llmfoundry/models/mpt/modeling_mpt.py, `ComposerMPTCausalLM.loss`.
 * Sizes: b rows, t tokens, d hidden size, V vocabulary.
 */
import {
  createGraph,
  div,
  type Graph,
  input,
  logSoftmax,
  mul,
  neg,
  output,
  rearrange,
  reshape,
  sizes,
  sum,
  type Tensor,
  takeAlongAxis,
} from "../../../src/graph/index.js";
import { lossOutput, trainedParameters } from "../../../src/learn/gradients.js";
import { wholeRows } from "../../../src/learn/wholeRows.js";
import type { LanguageModel } from "../../../src/models/language.js";
import type { Params } from "../../../src/models/layers.js";
import { selfAttention } from "../../../src/models/selfAttention.js";
import { type TowerProgram, towerProgram } from "./towerProgram.js";

/**
 * Inputs: ids int32 (b, t); targets int32 (b, t), the token to be said behind each; weights float32 (b, t), how much it
 * counts, 0 where nothing is to be learnt. Outputs: the gradients; "loss", the weighted mean, not a number where all
 * weights are 0.
 */
export function languageGraph(model: LanguageModel): TowerProgram {
  const graph = createGraph("language model");
  const { p, named } = trainedParameters(graph);
  outputLoss(graph, logitsOf(p, input(graph, "ids", "int32", ["b", "t"]), model));
  return towerProgram(graph, named);
}

/** The inputs targets and weights, and the output "loss". @param logits (b·t, V) */
export function outputLoss(graph: Graph, logits: Tensor): void {
  const targets = input(graph, "targets", "int32", ["b", "t"]);
  const weights = input(graph, "weights", "float32", ["b", "t"]);
  const flat = (x: Tensor) => rearrange(x, "b t -> (b t)");
  const said = takeAlongAxis(logSoftmax(logits, { axis: -1 }), flat(targets)); // (b·t)
  const total = (x: Tensor) => sum(x, { axes: [0] });
  const loss = neg(div(total(mul(said, flat(weights))), total(flat(weights))));
  output(graph, lossOutput, reshape(loss, { shape: [1] }));
}

/** For an evaluation while it is trained: ids (b, t) → "logits" (b·t, V) */
export function logitsGraph(model: LanguageModel): Graph {
  const graph = createGraph("logits");
  const { p } = trainedParameters(graph);
  output(graph, "logits", logitsOf(p, input(graph, "ids", "int32", ["b", "t"]), model));
  return graph;
}

/** ids (b, t), rows that are filled up on the right → (b·t, V) */
export function logitsOf(p: Params, ids: Tensor, model: LanguageModel): Tensor {
  const attendIn = selfAttention(model, wholeRows(ids), sizes(ids, "b t").t);
  let x = model.embed(p, ids); // (b, t, d)
  for (let i = 0; i < model.layers; i++) {
    x = model.block(p.at(model.blocks).at(i), x, attendIn(i)).y;
  }
  return model.logits(p, rearrange(x, "b t d -> (b t) d"));
}
