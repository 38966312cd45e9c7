/**
 * GPT-NeoX: a decoder with biases that turns queries and keys by their tokens' positions, and whose output projection
 * is a matrix of its own.
 *
 * Papers: "GPT-NeoX-20B" (arXiv:2204.06745), Section "Model Architecture"; "RoFormer" (arXiv:2104.09864) for rotary
 * positions. Reference: transformers 4.33.3, models/gpt_neox/modeling_gpt_neox.py.
 * Sizes: b prompts, t tokens, total positions of keys, d hidden size, h heads, e head dimension, r numbers of a head
 * that are turned, w rows whose logits are wanted, V vocabulary.
 */
import { add, gather, gelu, rearrange, reshape, split, type Tensor } from "../graph/index.js";
import type { LanguageModel } from "./language.js";
import { layerNorm, linear, type Params } from "./layers.js";
import { rotation } from "./rotary.js";
import { cacheHeadDim } from "./selfAttention.js";

export interface GptNeoxConfig {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  /** How many times wider than `hiddenSize` the feed-forward layer is. */
  readonly mlpRatio: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  /** How many numbers of each head are rotated, r: even, at most the head dimension. */
  readonly rotaryDim: number;
  /** The slowest turn takes almost 2π · rotaryBase positions. */
  readonly rotaryBase: number;
  /** Whether attention and feed-forward both read the block's input; else the second reads what the first gave. */
  readonly parallel: boolean;
}

export function gptNeox({
  layers,
  hiddenSize,
  heads,
  mlpRatio,
  vocabulary,
  contextLength,
  rotaryDim,
  rotaryBase,
  parallel,
}: GptNeoxConfig): LanguageModel {
  const headDim = hiddenSize / heads;
  const biased = (p: Params, x: Tensor, out: number) => linear(p, x, out, { bias: true });
  return {
    layers,
    hiddenSize,
    heads,
    headDim: cacheHeadDim(headDim),
    vocabulary,
    contextLength,
    blocks: "gpt_neox.layers",
    embedding: "gpt_neox.embed_in.weight",
    outputEmbedding: "embed_out.weight",

    embed: (p, ids) => gather(p.tensor("gpt_neox.embed_in.weight", [vocabulary, hiddenSize]), ids), // (b, t, d)

    rotation: (position) => rotation(position, { rotaryDim, rotaryBase, contextLength }),

    attentionBias: (_, mask) => {
      const [b, t, total] = mask.shape as [never, never, never];
      return reshape(mask, { shape: [b, 1, t, total] });
    },

    block: (p, x, attend) => {
      const attention = p.at("attention");
      const joined = biased(
        attention.at("query_key_value"),
        layerNorm(p.at("input_layernorm"), x),
        3 * hiddenSize,
      ); // (b, t, 3·d)
      // Head by head: queries, keys and values of the first, then of the second, …
      const perHead = rearrange(joined, "b t (h e) -> b t h e", { h: heads }); // (b, t, h, 3·e)
      const [queries, keys, values] = split(perHead, { parts: 3, axis: -1 }) as [Tensor, Tensor, Tensor];
      const y = attend(queries, keys, values, { scale: headDim ** -0.5 }); // (b, t, h, e)
      const attended = add(
        x,
        biased(attention.at("dense"), rearrange(y, "b t h e -> b t (h e)"), hiddenSize),
      );

      const mlp = p.at("mlp");
      const normed = layerNorm(p.at("post_attention_layernorm"), parallel ? x : attended);
      return add(
        attended,
        biased(
          mlp.at("dense_4h_to_h"),
          gelu(biased(mlp.at("dense_h_to_4h"), normed, Math.round(mlpRatio * hiddenSize))),
          hiddenSize,
        ),
      ); // (b, t, d)
    },

    logits: (p, x) => {
      const normed = layerNorm(p.at("gpt_neox").at("final_layer_norm"), x); // (w, d)
      return linear(p.at("embed_out"), normed, vocabulary); // (w, V)
    },
  };
}
