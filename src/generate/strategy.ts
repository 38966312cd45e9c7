/** How tokens are chosen: one of three ways, each with its own settings. */
import { integer, optional } from "../base/fields.js";
import type { BeamSettings } from "./beams.js";
import type { SampleSettings } from "./sample.js";

/** Answers to one prompt at once: each has its logits and its part of the cache, and another seed gives others. */
const mostSequences = 256;

/** How many answers may be asked for; of a beam search at most as many as it has beams. */
export const sequencesReader = optional(integer(1, mostSequences));

export type Strategy =
  | { readonly kind: "greedy" }
  | ({ readonly kind: "beam" } & BeamSettings)
  | ({ readonly kind: "sample" } & SampleSettings);
