/**
 * MosaicGPT, the earlier code of MPT under which the 1B model was published: the same decoder by other names, with
 * norms of queries and keys.
 *
 * Reference: mosaicml/examples of April 2023 (`mosaic_gpt.py`, `layers/gpt_blocks.py`), which is the hub's code of
 * mosaicml/mpt-1b-redpajama-200b.
 */
import type { LanguageModel } from "./language.js";
import { type MptConfig, type MptNames, mpt } from "./mpt.js";

const names: MptNames = {
  attentionNorm: "ln_1",
  feedForwardNorm: "ln_2",
  feedForward: "mlp",
  up: "mlp_up",
  down: "mlp_down",
  lastNorm: "ln_f",
};

export const mosaicGpt = (config: MptConfig): LanguageModel => mpt(config, names);
