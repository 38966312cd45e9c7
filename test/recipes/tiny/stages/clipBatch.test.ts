/** What a step of CLIP's training is given: the patches that are named are those that show a thing. */
import { expect, test } from "vitest";
import { shortRecipe } from "../../../../recipes/tiny/settings.js";
import { clipBatch } from "../../../../recipes/tiny/stages/clipBatch.js";
import { clipSample } from "../../../../recipes/tiny/stages/clipSamples.js";
import { classesOf, type Sources } from "../../../../recipes/tiny/stages/sources.js";
import { trainTokenizer } from "../../../../recipes/tiny/words/tokenizer/index.js";
import { createFlamingoTokenizer } from "../../../../src/text/flamingoTokens.js";
import { halves, madeThings } from "../world/made.js";

const none = { train: [], test: [] };
const sources: Sources = {
  ...{ things: madeThings, sprites: halves([200, 10, 20], [10, 30, 200]), photographs: none, characters: [] },
  ...{ classes: classesOf(madeThings, none), seed: 3, imageSize: 64, patches: 8 },
};
const tokenizer = createFlamingoTokenizer(
  trainTokenizer({ things: madeThings, seed: 1, size: 400, texts: 20 }),
);
const step = 2;

test.each([undefined, 8, 32])(
  "of %s kept patches, those that show a thing have its class, evenly over the batch",
  (keptPatches) => {
    const clip = { ...shortRecipe.clip, ...(keptPatches && { keptPatches }) };
    const { patch_tokens: tokens, patch_labels: labels, kept } = clipBatch(sources, clip, tokenizer, step);
    const samples = Array.from({ length: clip.batch }, (_, i) => clipSample(sources, step * clip.batch + i));
    const patches = 1 + (keptPatches ?? 64);
    const named = [...(labels.data as Int32Array)].filter((label) => label >= 0).length;
    expect(named).toBeGreaterThan(10);
    const images = new Set<number>();
    const seen = new Set<number>();
    for (let i = 0; i < named; i++) {
      const token = Number(tokens.data[i]);
      seen.add(token);
      images.add(Math.floor(token / patches));
      const place = kept ? kept.data[token]! : token; // among all tokens of all images
      const sample = samples[Math.floor(place / 65)]!;
      expect(place % 65).toBeGreaterThan(0); // not the class token
      expect(sample.patchLabels![(place % 65) - 1]).toBe(Number(labels.data[i]));
    }
    expect(seen.size).toBe(named);
    expect(images.size).toBeGreaterThan(clip.batch / 2);
    expect([...(labels.data as Int32Array)].slice(named).every((label) => label === -1)).toBe(true);
  },
);
