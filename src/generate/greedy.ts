/**
 * Greedy generation: always the most probable token.
 *
 * Reference: transformers 4.33.3, `greedy_search`.
 */
import type { RowDecoder } from "../runner/decoder.js";
import { argmax } from "./logits.js";
import { type GenerationLimits, generateRows } from "./rows.js";

/** As `generateRows`. */
export const greedy = (decoder: RowDecoder, limits: GenerationLimits) =>
  generateRows(decoder, limits, ({ logits }) => argmax(logits));
