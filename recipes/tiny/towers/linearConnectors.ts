/**
 * Connectors at their simplest, as they are trained: before each block of a frozen language model, linear maps of what an
 * image shows are added to the tokens that see it, each map as far as a gate of its own lets it, which looks at the token.
 *
 * A resampler that looks everywhere alike gives one vector of an image, and gated cross-attention over it is a linear
 * map; with an empty latent beside it, one with a gate. So what is learnt here, over vectors in place of patches and at a
 * quarter of the cost, is what resampler and gated cross-attention can begin with: see `connectorsStart`.
 * Sizes: b rows, t tokens, n images, d width of the image encoder, w of the language model, g maps of a block, V words.
 */
import {
  add,
  createGraph,
  type Graph,
  gather,
  input,
  linear,
  mul,
  output,
  rearrange,
  sigmoid,
  sizes,
  sum,
  type Tensor,
} from "../../../src/graph/index.js";
import { trainedParameters } from "../../../src/learn/gradients.js";
import { wholeRows } from "../../../src/learn/wholeRows.js";
import type { LanguageModel } from "../../../src/models/language.js";
import { layerNorm, type Params } from "../../../src/models/layers.js";
import { selfAttention } from "../../../src/models/selfAttention.js";
import { outputLoss } from "./languageGraph.js";
import { type TowerProgram, towerProgram } from "./towerProgram.js";

export interface LinearConnectorsConfig {
  readonly language: LanguageModel;
  /** The numbers of its blocks that have maps before them. */
  readonly blocks: readonly number[];
  /** d */
  readonly visionWidth: number;
  /** g */
  readonly maps: number;
  /** Of the resampler that they are made for, the empty one among them. */
  readonly latents: number;
}

/** The names of the parameters of block i. */
export const namesOfBlock = (i: number) => {
  const [weight, bias] = [`blocks.${i}.norm.weight`, `blocks.${i}.norm.bias`];
  return { weight, bias, gates: `blocks.${i}.gates`, maps: `blocks.${i}.maps` };
};

/**
 * Inputs: the language model's parameters by their names; ids, targets and weights as `languageGraph` has them; images
 * float32 (n, d), of which the first is 0; image_of int32 (b, t), the image that a token sees, 0 where it is none.
 * Outputs: the gradients of norms, gates and maps; "loss".
 */
export function linearConnectorsGraph(config: LinearConnectorsConfig): TowerProgram {
  const graph = createGraph("linear connectors");
  const { p, named } = trainedParameters(graph);
  outputLoss(graph, logitsOf(p, config)); // (b·t, V)
  return towerProgram(graph, named);
}

/** For an evaluation: as above, without targets and weights → "logits" (b·t, V) */
export function linearLogitsGraph(config: LinearConnectorsConfig): Graph {
  const graph = createGraph("logits over linear connectors");
  output(graph, "logits", logitsOf(trainedParameters(graph).p, config));
  return graph;
}

function logitsOf(p: Params, config: LinearConnectorsConfig): Tensor {
  const { language, blocks, visionWidth } = config;
  const frozen = trainedParameters(p.graph).p; // inputs that nobody asks for gradients of
  const ids = input(p.graph, "ids", "int32", ["b", "t"]);
  const images = input(p.graph, "images", "float32", ["n", visionWidth]);
  const imageOf = input(p.graph, "image_of", "int32", ["b", "t"]);
  const attendIn = selfAttention(language, wholeRows(ids), sizes(ids, "b t").t);
  let x = language.embed(frozen, ids); // (b, t, w)
  for (let i = 0; i < language.layers; i++) {
    if (blocks.includes(i)) x = add(x, shown(p, i, { x, images, imageOf }, config));
    x = language.block(frozen.at(language.blocks).at(i), x, attendIn(i)).y;
  }
  return language.logits(frozen, rearrange(x, "b t w -> (b t) w"));
}

/** What is added to the tokens before block i: (b, t, w) */
function shown(
  p: Params,
  i: number,
  { x, images, imageOf }: { readonly x: Tensor; readonly images: Tensor; readonly imageOf: Tensor },
  { language, visionWidth, maps: g, latents }: LinearConnectorsConfig,
): Tensor {
  const w = language.hiddenSize;
  const names = namesOfBlock(i);
  // A query that has nothing to say looks at all latents alike, one of which is empty.
  const scores = linear(
    layerNorm(p.at("blocks").at(i).at("norm"), x),
    p.tensor(names.gates, [g, w]),
    undefined,
  );
  const gates = sigmoid(add(scores, Math.log(latents - 1))); // (b, t, g)
  const mapped = linear(images, p.tensor(names.maps, [g * w, visionWidth]), undefined); // (n, g·w)
  const seen = rearrange(gather(mapped, imageOf), "b t (g w) -> b t g w", { g });
  return sum(mul(seen, rearrange(gates, "b t g -> b t g ()")), { axes: [2] });
}
