/**
 * What Flamingo asks of a language model. Each kind of model is one file that gives these functions.
 *
 * Sizes: b prompts, t new tokens, total positions of keys, w rows whose logits are wanted, d hidden size, h heads, e
 * head dimension, V vocabulary.
 */
import type { Tensor } from "../graph/index.js";
import type { Params } from "./layers.js";

/** What attention looks at: (…, h, s, e) each, for s keys. */
export interface KeysValues {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** Keys and values of a block's tokens so far, (b, h, capacity, e) each: float32, float16, or int8 with scales. */
export interface CachedBlock extends KeysValues {
  /** float32 (b, 2·h, e): what each number of keys, then of values, was divided by before it was rounded. */
  readonly scales?: Tensor | undefined;
}

/** Where tokens stand in their texts, counted from 0: float32. */
export interface Positions {
  readonly queries: Tensor; // (b, t)
  readonly keys: Tensor; // (b, total)
}

/** A result, and the block's cache with the new tokens in it, where there is a cache. */
export interface WithPresent {
  readonly y: Tensor;
  readonly present: CachedBlock | undefined;
}

/**
 * Self-attention over new tokens and what was kept of earlier ones: (b, t, h, e) three times → (b, t, h, e). It sees to
 * positions.
 */
export type Attend = (
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  options: { readonly scale: number },
) => WithPresent;

export interface LanguageModel {
  /** What it was made of, as plain data: models that were made of the same are the same. */
  readonly madeOf: Readonly<Record<string, unknown>>;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  /** The head dimension in the cache: see `cacheHeadDim`. */
  readonly headDim: number;
  /** Rows of the embedding, V. */
  readonly vocabulary: number;
  /** The longest text, in tokens. */
  readonly contextLength: number;
  /** The names of its blocks before the number: `transformer.blocks`. */
  readonly blocks: string;
  /** The name of its input embedding. */
  readonly embedding: string;
  /** The name of its output projection, where that is not the input embedding. */
  readonly outputEmbedding?: string;

  /** ids int32 (b, t) → (b, t, d) */
  embed(p: Params, ids: Tensor): Tensor;
  /**
   * How queries and keys (b, t, h, e) are turned by where their tokens stand, for models that encode positions so. Keys
   * are kept as they are afterwards.
   *
   * @param position float32 (b, t), of the new tokens
   */
  rotation?(position: Tensor): (x: Tensor) => Tensor;
  /** With `rotation`: squares of turned keys (b, t, h, e) → the largest that they can be at any other position. */
  largestTurned?(squares: Tensor): Tensor;
  /**
   * What is added to the scores of every block: (b, h or 1, t, total).
   *
   * @param mask float32 (b, t, total): 0, or −1e30 for a key that a token may not see
   */
  attentionBias(positions: Positions, mask: Tensor): Tensor;
  /** x (b, t, d) → y (b, t, d) */
  block(p: Params, x: Tensor, attend: Attend): WithPresent;
  /** x (w, d) → (w, V) */
  logits(p: Params, x: Tensor): Tensor;
}
