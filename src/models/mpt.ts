/**
 * MPT: a decoder without biases whose positions are slopes on the attention scores (ALiBi).
 *
 * Paper: MosaicML's MPT-7B. Reference: the hub's code of mosaicml/mpt-7b (`blocks.py`, `attention.py`,
 * `modeling_mpt.py`).
 * Sizes: b prompts, t tokens, d hidden size, h heads, e head dimension, w rows whose logits are wanted, V vocabulary.
 */
import { add, gather, gelu, linear as product, rearrange, splitInto, type Tensor } from "../graph/index.js";
import { alibiBias, alibiSlopes } from "./alibi.js";
import type { Attend, LanguageModel, WithPresent } from "./language.js";
import { layerNorm, linear, type Params, widthOf } from "./layers.js";
import { cacheHeadDim } from "./selfAttention.js";

export interface MptConfig {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly mlpRatio: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  /** The greatest exponent of the slopes: they are 2^−(alibiMax · m / h), m = 1 … h. */
  readonly alibiMax: number;
  /** Whether queries and keys have a norm, over all heads together; not when left out. */
  readonly queryKeyNorm?: boolean;
}

/** The names that the two generations of the model's code give to the same parts. */
export interface MptNames {
  readonly attentionNorm: string;
  readonly feedForwardNorm: string;
  readonly feedForward: string;
  readonly up: string;
  readonly down: string;
  readonly lastNorm: string;
}

const namesOfMpt: MptNames = {
  attentionNorm: "norm_1",
  feedForwardNorm: "norm_2",
  feedForward: "ffn",
  up: "up_proj",
  down: "down_proj",
  lastNorm: "norm_f",
};

export function mpt(config: MptConfig, names: MptNames = namesOfMpt): LanguageModel {
  const { layers, hiddenSize: d, heads, vocabulary, contextLength, alibiMax } = config;
  const embedding = (p: Params) => p.tensor("transformer.wte.weight", [vocabulary, d]); // (V, d)
  return {
    madeOf: { mpt: config, names },
    layers,
    hiddenSize: d,
    heads,
    headDim: cacheHeadDim(d / heads),
    vocabulary,
    contextLength,
    blocks: "transformer.blocks",
    embedding: "transformer.wte.weight",

    embed: (p, ids) => gather(embedding(p), ids), // (b, t, d)

    attentionBias: (positions, mask) => alibiBias(positions, mask, alibiSlopes(heads, alibiMax)), // (b, h, t, total)

    block: (p, x, attend) => block(p, x, attend, config, names), // (b, t, d)

    // The embedding is the output projection too.
    logits: (p, x) => product(norm(p.at("transformer").at(names.lastNorm), x), embedding(p), undefined), // (w, V)
  };
}

const norm = (p: Params, x: Tensor): Tensor => layerNorm(p, x, { bias: false });

/** x ← x + attention(norm(x)), then x ← x + feedForward(norm(x)): (b, t, d) → (b, t, d) */
function block(p: Params, x: Tensor, attend: Attend, config: MptConfig, names: MptNames): WithPresent {
  const { y, present } = attention(p.at("attn"), norm(p.at(names.attentionNorm), x), attend, config);
  x = add(x, y);
  x = add(x, feedForward(p.at(names.feedForward), norm(p.at(names.feedForwardNorm), x), config, names));
  return { y: x, present };
}

/** (b, t, d) → (b, t, d) */
function attention(
  p: Params, // Wqkv, q_ln, k_ln, out_proj
  x: Tensor,
  attend: Attend,
  { heads, queryKeyNorm = false }: MptConfig,
): WithPresent {
  const d = widthOf(x);
  let [queries, keys, values] = splitInto(linear(p.at("Wqkv"), x, 3 * d), 3, { axis: -1 }); // (b, t, d) each
  if (queryKeyNorm) [queries, keys] = [norm(p.at("q_ln"), queries), norm(p.at("k_ln"), keys)];

  const toHeads = (each: Tensor) => rearrange(each, "b t (h e) -> b t h e", { h: heads });
  const scale = (d / heads) ** -0.5;
  const { y, present } = attend(toHeads(queries), toHeads(keys), toHeads(values), { scale }); // (b, t, h, e)
  return { y: linear(p.at("out_proj"), rearrange(y, "b t h e -> b t (h e)"), d), present }; // (b, t, d)
}

/** (b, t, d) → (b, t, d) */
function feedForward(p: Params, x: Tensor, { mlpRatio }: MptConfig, { up, down }: MptNames): Tensor {
  const d = widthOf(x);
  return linear(p.at(down), gelu(linear(p.at(up), x, mlpRatio * d)), d);
}
