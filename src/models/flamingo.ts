/**
 * Flamingo: images and text in any order in, text out.
 *
 * Paper: Flamingo (arXiv:2204.14198), "Approach". Reference: open_flamingo/src/flamingo.py and flamingo_lm.py.
 *
 * Two functions make the whole model. `encode` runs once an image: vision encoder, resampler, and the keys and values
 * that each gated block will ask for. `decode` runs over tokens: the language model, with a gated block before every
 * `crossAttentionEvery`-th of its own. Nothing is kept between calls: images enter `decode` as an argument.
 * Sizes: N images, S pixels a side, v patches, n latents, b prompts, t new tokens, s images of a prompt, w rows
 * whose logits are wanted, total positions of keys, d hidden size, h heads, e head dimension, V vocabulary.
 */
import { gather, rearrange, sizes, type Tensor } from "../graph/index.js";
import {
  type CrossAttentionConfig,
  crossAttentionMask,
  gatedCrossAttention,
  type Media,
  projectMedia,
} from "./crossAttention.js";
import type { CachedBlock, LanguageModel } from "./language.js";
import type { Params } from "./layers.js";
import { type PerceiverConfig, perceiver } from "./perceiver.js";
import { type AttentionContext, selfAttention } from "./selfAttention.js";
import { type VitConfig, vit } from "./vit.js";

export interface FlamingoConfig {
  readonly vision: VitConfig;
  readonly perceiver: PerceiverConfig;
  readonly crossAttention: CrossAttentionConfig;
  /** A gated block stands before every block of this interval: 4 means before blocks 3, 7, 11, … */
  readonly crossAttentionEvery: number;
  readonly language: LanguageModel;
}

/** The numbers of the blocks that have a gated block before them. */
export const gatedBlocks = ({ language, crossAttentionEvery }: FlamingoConfig): readonly number[] =>
  Array.from({ length: language.layers }, (_, i) => i).filter((i) => (i + 1) % crossAttentionEvery === 0);

/** Block i of the language model, and the gated block before it. */
const blockAt = (p: Params, { language }: FlamingoConfig, i: number): Params =>
  p.at("lang_encoder").at(language.blocks).at(i);

export interface Encoded {
  readonly tokens: Tensor; // (N, v, dv), of the vision encoder
  readonly latents: Tensor; // (N, n, dv)
  readonly media: readonly Media[]; // for each gated block (N, h, n, e)
}

/** @param pixels float32 (N, 3, S, S), normalised */
export function encode(p: Params, pixels: Tensor, config: FlamingoConfig): Encoded {
  const tokens = vit(p.at("vision_encoder"), pixels, config.vision); // (N, v, dv)
  return { tokens, ...encodeTokens(p, tokens, config) };
}

/** The same from the vision encoder's tokens (N, v, dv) on. */
export function encodeTokens(p: Params, tokens: Tensor, config: FlamingoConfig): Omit<Encoded, "tokens"> {
  // Each image by itself: a prompt of one image of one frame.
  const single = rearrange(tokens, "N v d -> N () () v d");
  const latents = rearrange(perceiver(p.at("perceiver"), single, config.perceiver), "N () n d -> N n d");
  const media = gatedBlocks(config).map((i) =>
    projectMedia(blockAt(p, config, i).at("gated_cross_attn_layer"), latents, config.crossAttention),
  );
  return { latents, media };
}

export interface DecodeInputs extends AttentionContext {
  readonly ids: Tensor; // int32 (b, t)
  /** The images' keys and values for each gated block (images, h, n, e), and which of them each prompt looks at. */
  readonly encodedImages: readonly Media[];
  readonly imageIds: Tensor; // int32 (b, s)
  /** Which of its prompt's images a token sees: see `crossAttentionMask`. */
  readonly imageIndex: Tensor; // int32 (b, t)
  /** Rows of the flattened (b·t) tokens whose logits are wanted; all of them when absent. */
  readonly wanted?: Tensor; // int32 (w)
}

export interface Decoded {
  readonly logits: Tensor; // (w, V), or (b·t, V)
  readonly present: readonly CachedBlock[]; // each block's cache with the new tokens in it; empty without a cache
  readonly blockInputs: readonly Tensor[]; // what enters each block, with its gated block: (b, t, d)
  readonly blockOutput: Tensor; // of the last block: (b, t, d)
}

export function decode(p: Params, inputs: DecodeInputs, config: FlamingoConfig): Decoded {
  const { language, crossAttention } = config;
  const { ids, encodedImages, imageIds, imageIndex, wanted } = inputs;
  const { t } = sizes(ids, "b t");
  const { s } = sizes(imageIds, "b s");
  const imageMask = crossAttentionMask(imageIndex, s, config.perceiver.latents, crossAttention);
  const attendIn = selfAttention(language, inputs, t);
  const gated = gatedBlocks(config);
  const present: CachedBlock[] = [];
  const blockInputs: Tensor[] = [];

  let x = language.embed(p.at("lang_encoder"), ids); // (b, t, d)
  for (let i = 0; i < language.layers; i++) {
    blockInputs.push(x);
    const block = blockAt(p, config, i);
    const gatedIndex = gated.indexOf(i);
    if (gatedIndex >= 0) {
      const media = imagesOf(encodedImages[gatedIndex]!, imageIds); // (b, h, s·n, e)
      x = gatedCrossAttention(block.at("gated_cross_attn_layer"), x, media, imageMask, crossAttention); // (b, t, d)
    }
    const result = language.block(block, x, attendIn(i));
    x = result.y; // (b, t, d)
    if (result.present) present.push(result.present);
  }
  const flat = rearrange(x, "b t d -> (b t) d");
  const logits = language.logits(p.at("lang_encoder"), wanted ? gather(flat, wanted) : flat);
  return { logits, present, blockInputs, blockOutput: x };
}

/** The images of each prompt, one after the other: encoded (images, h, n, e), imageIds (b, s) → (b, h, s·n, e). */
function imagesOf({ keys, values }: Media, imageIds: Tensor): Media {
  const take = (encoded: Tensor) => rearrange(gather(encoded, imageIds), "b s h n e -> b h (s n) e");
  return { keys: take(keys), values: take(values) };
}
