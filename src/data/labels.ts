/**
 * Which tokens of a training text are learnt.
 *
 * Reference: open_flamingo/train/train_utils.py, `train_one_epoch`. In a caption everything but `<image>` is learnt, the
 * end of text too. In a document only what follows an `<image>`, up to the `<|endofchunk|>` that ends it: so the end of
 * text is not.
 */

/** The label of what is not learnt, as in torch's `cross_entropy`. */
export const IGNORED = -100;

/** How samples of a data set look: pairs of an image and a caption (LAION), or documents (MMC4). */
export type SampleKind = "captions" | "documents";

/**
 * Labels beside the ids: the id where it is learnt, else −100. The shift to the next token is the loss's.
 *
 * @param ids int32 (t), without padding
 */
export function labelsOf(
  ids: ArrayLike<number>,
  kind: SampleKind,
  { image, endOfChunk }: { readonly image: number; readonly endOfChunk: number },
): Int32Array {
  const labels = new Int32Array(ids.length).fill(IGNORED);
  let isLearnt = kind === "captions";
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (id === image) {
      isLearnt = true;
      continue;
    }
    if (isLearnt) labels[i] = id;
    if (kind === "documents" && id === endOfChunk) isLearnt = false;
  }
  return labels;
}
