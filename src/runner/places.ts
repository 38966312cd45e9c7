/**
 * Which image each token of a prompt sees.
 *
 * Reference: open_flamingo/src/helpers.py, `MaskedCrossAttention`: a token sees the image of the last `<image>` up to
 * and including itself.
 */
import { seesAll, seesNone } from "../models/crossAttention.js";

/**
 * @param ids of one prompt
 * @param imageToken the id of `<image>`
 * @param images how many images the prompt may look at; in a batch, as many as the prompt that has most
 * @param before how many `<image>`s count as read before the first of the ids
 * @returns for each token the number of its image from 0, `seesNone` before the first `<image>`, or `seesAll` after
 *   more `<image>`s than there are images
 */
export function placesOf(ids: readonly number[], imageToken: number, images: number, before = 0): Int32Array {
  let imageTokens = before;
  return Int32Array.from(ids, (id) => {
    if (id === imageToken) imageTokens++;
    return placeAfter(imageTokens, images);
  });
}

/** What a token sees after so many `<image>`s, itself included. */
export function placeAfter(imageTokens: number, images: number): number {
  if (imageTokens === 0 || images === 0) return seesNone;
  return imageTokens > images ? seesAll : imageTokens - 1;
}
