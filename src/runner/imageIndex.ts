/**
 * How many `<image>`s a text has, and which image each of its tokens sees.
 *
 * Reference: open_flamingo/src/helpers.py, `MaskedCrossAttention`: a token sees the image of the last `<image>` up to
 * and including itself.
 */
import { ALL_IMAGES, NO_IMAGE } from "../models/crossAttention.js";

/** How many `<image>`s there are among the ids. */
export const countImageTokens = (ids: readonly number[], imageToken: number): number =>
  ids.reduce((count, id) => (id === imageToken ? count + 1 : count), 0);

/**
 * @param ids of one prompt
 * @param imageToken the id of `<image>`
 * @param images how many images the prompt may look at; in a batch, as many as the prompt that has most
 * @param before how many `<image>`s count as read before the first of the ids
 * @returns for each token the number of its image from 0, `NO_IMAGE` before the first `<image>`, or `ALL_IMAGES` after
 *   more `<image>`s than there are images
 */
export function imageIndexOf(
  ids: readonly number[],
  imageToken: number,
  images: number,
  before = 0,
): Int32Array {
  let imageTokens = before;
  return Int32Array.from(ids, (id) => {
    if (id === imageToken) imageTokens++;
    return imageIndexAfter(imageTokens, images);
  });
}

/** What a token sees after so many `<image>`s, itself included. */
export function imageIndexAfter(imageTokens: number, images: number): number {
  if (imageTokens === 0 || images === 0) return NO_IMAGE;
  return imageTokens > images ? ALL_IMAGES : imageTokens - 1;
}
