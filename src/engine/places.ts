/**
 * Which picture each token of a prompt sees.
 *
 * Original: open_flamingo/src/helpers.py, `MaskedCrossAttention`: a token sees the picture of the last `<image>` up to
 * and including itself.
 */
import { seesAll, seesNone } from "../models/crossAttention.js";

/**
 * @param ids of one prompt
 * @param imageToken the id of `<image>`
 * @param pictures how many pictures the prompt may look at; in a batch, as many as the prompt that has most
 * @param before how many `<image>`s count as read before the first of the ids
 * @returns for each token the number of its picture from 0, `seesNone` before the first `<image>`, or `seesAll` after
 *   more `<image>`s than there are pictures
 */
export function placesOf(
  ids: readonly number[],
  imageToken: number,
  pictures: number,
  before = 0,
): Int32Array {
  let images = before;
  return Int32Array.from(ids, (id) => {
    if (id === imageToken) images++;
    return placeAfter(images, pictures);
  });
}

/** What a token sees after so many `<image>`s, itself included. */
export function placeAfter(images: number, pictures: number): number {
  if (images === 0 || pictures === 0) return seesNone;
  return images > pictures ? seesAll : images - 1;
}
