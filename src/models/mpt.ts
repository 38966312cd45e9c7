/**
 * MPT: a decoder without biases whose positions are slopes on the attention scores (ALiBi).
 *
 * Paper: MosaicML's MPT-7B. Reference: the hub's code of mosaicml/mpt-7b (`blocks.py`, `attention.py`,
 * `modeling_mpt.py`).
 * Sizes: b prompts, t tokens, d hidden size, h heads, e head dimension, w rows whose logits are wanted, V vocabulary.
 */
import { add, gather, gelu, linear as plainLinear, rearrange, split, type Tensor } from "../graph/index.js";
import { alibiBias, alibiSlopes } from "./alibi.js";
import type { LanguageModel } from "./language.js";
import { layerNorm, linear, widthOf } from "./layers.js";
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

export function mpt(
  {
    layers,
    hiddenSize,
    heads,
    mlpRatio,
    vocabulary,
    contextLength,
    alibiMax,
    queryKeyNorm = false,
  }: MptConfig,
  names: MptNames = namesOfMpt,
): LanguageModel {
  const headDim = hiddenSize / heads;
  return {
    layers,
    hiddenSize,
    heads,
    headDim: cacheHeadDim(headDim),
    vocabulary,
    contextLength,
    blocks: "transformer.blocks",
    embedding: "transformer.wte.weight",

    embed: (p, ids) => gather(p.tensor("transformer.wte.weight", [vocabulary, hiddenSize]), ids), // (b, t, d)

    attentionBias: (position, mask) => alibiBias(position, mask, alibiSlopes(heads, alibiMax)), // (b, h, t, total)

    block: (p, x, attend) => {
      const attention = p.at("attn");
      const normed = layerNorm(p.at(names.attentionNorm), x, { bias: false });
      const joined = linear(attention.at("Wqkv"), normed, 3 * hiddenSize); // (b, t, 3·d)
      const [queries, keys, values] = split(joined, { parts: 3, axis: -1 }) as [Tensor, Tensor, Tensor];
      const norm = (name: string, of: Tensor) =>
        queryKeyNorm ? layerNorm(attention.at(name), of, { bias: false }) : of;
      const toHeads = (of: Tensor) => rearrange(of, "b t (h e) -> b t h e", { h: heads });
      const scale = headDim ** -0.5;
      const y = attend(toHeads(norm("q_ln", queries)), toHeads(norm("k_ln", keys)), toHeads(values), {
        scale,
      }); // (b, t, h, e)
      const attended = add(
        x,
        linear(attention.at("out_proj"), rearrange(y, "b t h e -> b t (h e)"), hiddenSize),
      );

      const feedForward = p.at(names.feedForward);
      const inner = linear(
        feedForward.at(names.up),
        layerNorm(p.at(names.feedForwardNorm), attended, { bias: false }),
        mlpRatio * hiddenSize,
      );
      return add(attended, linear(feedForward.at(names.down), gelu(inner), hiddenSize)); // (b, t, d)
    },

    // The embedding is the output projection too.
    logits: (p, x) => {
      const normed = layerNorm(p.at("transformer").at(names.lastNorm), x, { bias: false }); // (w, d)
      return plainLinear(normed, p.tensor("transformer.wte.weight", [vocabulary, widthOf(x)]), undefined); // (w, V)
    },
  };
}
