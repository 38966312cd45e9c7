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
  /** Images that each prompt may look at. */
  readonly perPrompt: number;
  imageIdsOf(row: number): Int32Array;
  /** Image ids and image indices for one more token of each row, given the image indices of their last ones. */
  seenByNext(imageIndices: readonly number[]): { imageIds: Int32Array; imageIndex: Int32Array };
  release(): void;
}

/**
 * The images of each prompt, all lists as long as the longest. A prompt with fewer images gets images of zeros: the
 * reference implementation shows it those if it comes to ask for more than its own.
 *
 * @param zeroImage the encoding of an image of zeros; called only where there is need of one
 */
export async function filledImages(
  prompts: readonly Prompt[],
  zeroImage: () => Promise<EncodedImage>,
): Promise<readonly Prompt["images"][]> {
  const most = Math.max(...prompts.map(({ images }) => images.length));
  if (prompts.every(({ images }) => images.length === most)) return prompts.map(({ images }) => images);
  const filler = await zeroImage();
  return prompts.map(({ images }) => Array.from({ length: most }, (_, i) => images[i] ?? filler));
}

/** @param images of each prompt, as many for each */
export function createEncodedImages(
  runtime: Runtime,
  config: FlamingoConfig,
  images: readonly Prompt["images"][],
): EncodedImages {
  const { onlyImmediate = true } = config.crossAttention;
  const perPrompt = images[0]!.length;
  const all = [...new Set(images.flat())];
  const numberOf = new Map(all.map((image, i) => [image, i]));
  // A graph wants one image at least: without any it is never looked at.
  const imageIds = images.map((row) =>
    perPrompt === 0 ? Int32Array.of(0) : Int32Array.from(row, (image) => numberOf.get(image)!),
  );
  const feeds = bindImages(runtime, config, all);

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

/** Keys and values of all images for each gated block, (images, h, n, e). */
function bindImages(
  runtime: Runtime,
  config: FlamingoConfig,
  images: readonly EncodedImage[],
): Readonly<Record<string, BoundTensor>> {
  const { heads, headDim } = config.crossAttention;
  const { latents } = config.perceiver;
  const feeds: Record<string, BoundTensor> = {};
  gatedBlocks(config).forEach((_, block) => {
    for (const kind of ["keys", "values"] as const) {
      const tensor = zeros("float32", [Math.max(images.length, 1), heads, latents, headDim]);
      images.forEach(({ media }, i) => {
        tensor.data.set(media[block]![kind], i * heads * latents * headDim);
      });
      feeds[numbered(kind, block)] = runtime.bind(tensor);
    }
  });
  return feeds;
}
