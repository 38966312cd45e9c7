/**
 * GPT-NeoX: a decoder with biases that turns queries and keys by their tokens' positions, and whose output projection
 * is a matrix of its own.
 *
 * Papers: "GPT-NeoX-20B" (arXiv:2204.06745), Section "Model Architecture"; "RoFormer" (arXiv:2104.09864) for rotary
 * positions. Reference: transformers 4.33.3, models/gpt_neox/modeling_gpt_neox.py.
 * Sizes: b prompts, t tokens, total positions of keys, d hidden size, h heads, e head dimension, w rows whose logits are
 * wanted, V vocabulary.
 */
import { add, gather, gelu, rearrange, splitInto, type Tensor } from "../graph/index.js";
import type { Attend, LanguageModel, WithPresent } from "./language.js";
import { linear as layer, layerNorm, type Params, widthOf } from "./layers.js";
import { largestTurned, rotation } from "./rotary.js";
import { cacheHeadDim } from "./selfAttention.js";

export interface GptNeoxConfig {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  /** How many times wider than `hiddenSize` the feed-forward layer is. */
  readonly mlpRatio: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  /** How many numbers of each head are rotated: even, at most the head dimension. */
  readonly rotaryDim: number;
  /** The slowest turn takes almost 2π · rotaryBase positions. */
  readonly rotaryBase: number;
  /** Whether attention and feed-forward both read the block's input; else the second reads what the first gave. */
  readonly parallel: boolean;
}

export function gptNeox(config: GptNeoxConfig): LanguageModel {
  const { layers, hiddenSize: d, heads, vocabulary, contextLength } = config;
  return {
    madeOf: { gptNeox: config },
    layers,
    hiddenSize: d,
    heads,
    headDim: cacheHeadDim(d / heads),
    vocabulary,
    contextLength,
    blocks: "gpt_neox.layers",
    embedding: "gpt_neox.embed_in.weight",
    outputEmbedding: "embed_out.weight",

    embed: (p, ids) => gather(p.tensor("gpt_neox.embed_in.weight", [vocabulary, d]), ids), // (b, t, d)

    rotation: (position) => rotation(position, config),
    largestTurned: (squares) => largestTurned(squares, config),

    attentionBias: (_, mask) => rearrange(mask, "b t total -> b () t total"),

    block: (p, x, attend) => block(p, x, attend, config), // (b, t, d)

    logits: (p, x) => layer(p.at("embed_out"), layerNorm(p.at("gpt_neox.final_layer_norm"), x), vocabulary), // (w, V)
  };
}

const linear = (p: Params, x: Tensor, out: number): Tensor => layer(p, x, out, { bias: true });

/**
 * x ← x + attention(norm(x)), then x ← x + feedForward(norm(x)); in parallel, both read the same x: (b, t, d) →
 * (b, t, d)
 */
function block(p: Params, x: Tensor, attend: Attend, config: GptNeoxConfig): WithPresent {
  const mlp = (x: Tensor) => feedForward(p.at("mlp"), layerNorm(p.at("post_attention_layernorm"), x), config);
  const { y, present } = attention(p.at("attention"), layerNorm(p.at("input_layernorm"), x), attend, config);
  if (config.parallel) return { y: add(add(x, y), mlp(x)), present };
  x = add(x, y);
  return { y: add(x, mlp(x)), present };
}

/** (b, t, d) → (b, t, d) */
function attention(
  p: Params, // query_key_value, dense
  x: Tensor,
  attend: Attend,
  { heads }: GptNeoxConfig,
): WithPresent {
  const d = widthOf(x);
  // Head by head: queries, keys and values of the first, then of the second, …
  const qkv = rearrange(linear(p.at("query_key_value"), x, 3 * d), "b t (h e) -> b t h e", { h: heads }); // (b, t, h, 3·e)
  const [queries, keys, values] = splitInto(qkv, 3, { axis: -1 }); // (b, t, h, e) each
  const { y, present } = attend(queries, keys, values, { scale: (d / heads) ** -0.5 }); // (b, t, h, e)
  return { y: linear(p.at("dense"), rearrange(y, "b t h e -> b t (h e)"), d), present }; // (b, t, d)
}

/** (b, t, d) → (b, t, d) */
function feedForward(p: Params, x: Tensor, { mlpRatio }: GptNeoxConfig): Tensor {
  const d = widthOf(x);
  const inner = gelu(linear(p.at("dense_h_to_4h"), x, Math.round(mlpRatio * d))); // (b, t, mlpRatio·d)
  return linear(p.at("dense_4h_to_h"), inner, d);
}
