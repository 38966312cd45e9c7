/**
 * The images of a batch of prompts: each once, however many prompts, shots or beams look at it.
 */
import { ALL_IMAGES, NO_IMAGE } from "../models/crossAttention.js";
import { type FlamingoConfig, gatedBlocks } from "../models/flamingo.js";
import { zeros } from "../runtime/hostTensor.js";
import type { BoundTensor, Runtime } from "../runtime/runtime.js";
import { numbered } from "./graphs.js";

/** An image's keys and values for each gated block, (h, n, e) each: all that a language model needs of it. */
export interface EncodedImage {
  readonly media: readonly { readonly keys: Float32Array; readonly values: Float32Array }[];
}

export interface Prompt {
  readonly ids: readonly number[];
  /** In the order of their `<image>`s. More than there are `<image>`s: never looked at. */
  readonly images: readonly EncodedImage[];
}

/** The images of a batch, each once, and which of them each prompt looks at. */
export interface EncodedImages {
  readonly feeds: Readonly<Record<string, BoundTensor>>;
  /** Images that each prompt may look at: as many as the prompt that has most. */
  readonly perPrompt: number;
  imageIdsOf(row: number): Int32Array;
  /** Image ids and image indices for one more token of each row, given the image indices of their last ones. */
  seenByNext(imageIndices: readonly number[]): { imageIds: Int32Array; imageIndex: Int32Array };
  release(): void;
}

/**
 * @param zeroImage the encoding of an image of zeros: what the reference implementation shows a prompt in whose batch
 *   another one has more images, if it comes to ask for more than its own
 */
export async function createEncodedImages(
  runtime: Runtime,
  config: FlamingoConfig,
  prompts: readonly Prompt[],
  zeroImage: () => Promise<EncodedImage>,
): Promise<EncodedImages> {
  const perPrompt = Math.max(...prompts.map(({ images }) => images.length));
  const unequal = prompts.some(({ images }) => images.length < perPrompt);
  const filler = unequal ? await zeroImage() : undefined;
  const all = [...new Set([...prompts.flatMap(({ images }) => images), ...(filler ? [filler] : [])])];
  const numberOf = new Map(all.map((image, i) => [image, i]));
  const width = Math.max(perPrompt, 1);
  // Places beyond a prompt's own images show the zero image, or are never looked at.
  const imageIds = prompts.map(({ images }) =>
    Int32Array.from({ length: width }, (_, i) => numberOf.get(images[i] ?? filler!) ?? 0),
  );

  const { heads, headDim, onlyImmediate = true } = config.crossAttention;
  const each = heads * config.perceiver.latents * headDim;
  const shape = [Math.max(all.length, 1), heads, config.perceiver.latents, headDim];
  const feeds: Record<string, BoundTensor> = {};
  gatedBlocks(config).forEach((_, block) => {
    for (const kind of ["keys", "values"] as const) {
      const tensor = zeros("float32", shape);
      all.forEach(({ media }, i) => {
        tensor.data.set(media[block]![kind], i * each);
      });
      feeds[numbered(kind, block)] = runtime.bind(tensor);
    }
  });

  return {
    feeds,
    perPrompt,
    imageIdsOf: (row) => imageIds[row]!,
    seenByNext(imageIndices) {
      // A new token sees its row's last image only, so one image is enough; seeing others needs all.
      if (!onlyImmediate || imageIndices.includes(ALL_IMAGES)) {
        return {
          imageIds: Int32Array.from(imageIds.flatMap((of) => [...of])),
          imageIndex: Int32Array.from(imageIndices),
        };
      }
      return {
        imageIds: Int32Array.from(
          imageIndices,
          (imageIndex, row) => imageIds[row]![Math.max(imageIndex, 0)]!,
        ),
        imageIndex: Int32Array.from(imageIndices, (imageIndex) => (imageIndex === NO_IMAGE ? NO_IMAGE : 0)),
      };
    },
    release() {
      for (const bound of Object.values(feeds)) bound.release();
    },
  };
}
