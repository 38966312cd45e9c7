/**
 * What Flamingo asks of a language model. Each kind of model is one file that gives these functions.
 *
 * Sizes: b prompts, t new tokens, total positions of keys, w rows whose logits are wanted, d hidden size, h heads, e
 * head dimension, V vocabulary.
 */
import type { Tensor } from "../graph/index.js";
import type { Params } from "./layers.js";

/**
 * Self-attention over new tokens and what was kept of earlier ones: (b, t, h, e) three times → (b, t, h, e). It sees to
 * positions.
 */
export type Attend = (queries: Tensor, keys: Tensor, values: Tensor, options: { scale: number }) => Tensor;

export interface LanguageModel {
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
  /**
   * What is added to the scores of every block: (b, h or 1, t, total).
   *
   * @param position float32 (b, total), of every key
   * @param mask float32 (b, t, total): 0, or −1e30 for a key that a token may not see
   */
  attentionBias(position: Tensor, mask: Tensor): Tensor;
  /** x (b, t, d) → (b, t, d) */
  block(p: Params, x: Tensor, attend: Attend): Tensor;
  /** x (w, d) → (w, V) */
  logits(p: Params, x: Tensor): Tensor;
}
