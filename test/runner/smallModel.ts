/** A model small enough for random weights, with room for long prompts. */
import { type FlamingoConfig, gatedBlocks } from "../../src/models/flamingo.js";
import { mpt } from "../../src/models/mpt.js";

/** The id of `<image>` among 100 tokens; a test's own text uses those below. */
export const imageToken = 90;

export const config: FlamingoConfig = {
  vision: {
    imageSize: 8,
    patchSize: 4,
    hiddenSize: 16,
    layers: 1,
    heads: 2,
    mlpRatio: 2,
    activation: "gelu",
  },
  perceiver: { depth: 1, heads: 2, headDim: 8, latents: 4, mlpRatio: 2 },
  crossAttention: { heads: 2, headDim: 8, mlpRatio: 2 },
  crossAttentionEvery: 2,
  language: mpt({
    layers: 4,
    hiddenSize: 32,
    heads: 4,
    mlpRatio: 2,
    vocabulary: 100,
    contextLength: 1500,
    alibiMax: 8,
  }),
};

/** An encoded image of made-up numbers. */
export const image = (seed: number) => ({
  media: gatedBlocks(config).map(() => {
    const values = (shift: number) =>
      Float32Array.from({ length: 2 * 4 * 8 }, (_, i) => Math.sin(seed * 7 + i + shift));
    return { keys: values(0), values: values(3) };
  }),
});
