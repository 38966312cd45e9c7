/** What a step of CLIP's training learns from: images, texts, and which class each image and patch is of. */
import type { HostTensor } from "../../../src/runtime/hostTensor.js";
import type { FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import type { ClipSettings } from "../settings.js";
import { keptTokens } from "../towers/keptTokens.js";
import { principalPatches } from "../towers/principalPatches.js";
import { type ClipSample, clipSample } from "./clipSamples.js";
import type { Sources } from "./sources.js";

/** CLIP's own, on the scale of 0 to 1. */
export const colours = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const;

/** What step 0, 1, 2, … learns from, as `clipGraph` takes it; a pure function. */
export function clipBatch(sources: Sources, clip: ClipSettings, tokenizer: FlamingoTokenizer, step: number) {
  const { batch, textLength } = clip;
  const samples = Array.from({ length: batch }, (_, i) => clipSample(sources, step * batch + i));
  const kept = clip.keptPatches === undefined ? undefined : keptOf(sources, clip, step);
  const ids = new Int32Array(batch * textLength);
  for (const [i, { text }] of samples.entries()) {
    const tokens = tokenizer.encode(text, { maxLength: textLength - 1 });
    ids.set([...tokens, tokenizer.special.padding + 1], i * textLength);
  }
  return {
    pixels: pixelsOf(samples, clip),
    ...(kept && { kept }),
    ...patchesOf(samples, clip, kept),
    ids: { dtype: "int32", shape: [batch, textLength], data: ids },
    labels: { dtype: "int32", shape: [batch], data: Int32Array.from(samples, ({ label }) => label) },
  } satisfies Record<string, HostTensor>;
}

const keptOf = (
  { seed }: Sources,
  { batch, imageSize, patchSize, keptPatches }: ClipSettings,
  step: number,
) => keptTokens(step, { images: batch, patches: (imageSize / patchSize) ** 2, kept: keptPatches!, seed });

/** How many patches of an image are named, on average: more take time, and those of one thing say the same. */
const namedPatches = 4;

/**
 * Patches that show a thing, among the tokens that are kept: evenly from all over the batch where there are more than
 * there is room for; the rest of the room has the label −1.
 */
function patchesOf(
  samples: readonly ClipSample[],
  { imageSize, patchSize }: ClipSettings,
  kept?: HostTensor<"int32">,
): Record<"patch_tokens" | "patch_labels", HostTensor> {
  const tokens = 1 + (imageSize / patchSize) ** 2;
  const all = new Int32Array(samples.length * tokens).fill(-1);
  for (const [i, { patchLabels }] of samples.entries()) if (patchLabels) all.set(patchLabels, i * tokens + 1);
  const labels = kept ? kept.data.map((token) => all[token]!) : all;
  const found = [...labels.keys()].filter((token) => labels[token]! >= 0);
  const room = samples.length * namedPatches;
  const [chosen, named] = [new Int32Array(room), new Int32Array(room).fill(-1)];
  for (let i = 0; i < Math.min(room, found.length); i++) {
    chosen[i] = found[found.length > room ? Math.floor((i * found.length) / room) : i]!;
    named[i] = labels[chosen[i]!]!;
  }
  return {
    patch_tokens: { dtype: "int32", shape: [room], data: chosen },
    patch_labels: { dtype: "int32", shape: [room], data: named },
  };
}

/** As the tower takes them: (b, 3, S, S), normalised. */
export function pixelsOf(
  samples: readonly Pick<ClipSample, "pixels">[],
  { imageSize: side }: ClipSettings,
): HostTensor {
  const area = side * side;
  const data = new Float32Array(samples.length * 3 * area);
  for (const [i, { pixels }] of samples.entries()) {
    for (let colour = 0; colour < 3; colour++) {
      const at = (3 * i + colour) * area;
      const [mean, std] = [colours.mean[colour]!, colours.std[colour]!];
      for (let j = 0; j < area; j++) data[at + j] = (pixels[3 * j + colour]! / 255 - mean) / std;
    }
  }
  return { dtype: "float32", shape: [samples.length, 3, side, side], data };
}

const patchesSeen = 4000;

/** The start of the embedding of patches, from those of the first samples. */
export function patchStart(sources: Sources, clip: ClipSettings): Float32Array {
  const { imageSize: side, patchSize: p, hiddenSize } = clip;
  const length = 3 * p * p;
  const patches = new Float32Array(patchesSeen * length);
  const perSide = side / p;
  for (let n = 0; n < patchesSeen; n++) {
    // One of each image: neighbours are alike.
    const { data } = pixelsOf([clipSample(sources, n)], clip) as { data: Float32Array };
    const [row, column] = [n % perSide, Math.floor(n / perSide) % perSide];
    for (let i = 0; i < length; i++) {
      const [colour, y, x] = [Math.floor(i / (p * p)), Math.floor(i / p) % p, i % p];
      patches[n * length + i] = data[(colour * side + row * p + y) * side + column * p + x]!;
    }
  }
  return principalPatches(patches, { k: length, rows: hiddenSize, seed: sources.seed });
}
