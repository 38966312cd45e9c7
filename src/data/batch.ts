/** Samples of different lengths as the rectangles that a step takes. */
import { padRows } from "../text/padding.js";
import type { AssembledSample } from "./assemble.js";
import { IGNORED } from "./labels.js";

/** Where a sample comes from, for messages. */
export interface SampleKey {
  readonly shard: string;
  /** The name of its files in the shard, without extension. */
  readonly key: string;
}

export interface CollatedBatch {
  /** Rows, tokens of a row, images of a row, pixels a side. */
  readonly sizes: { readonly b: number; readonly t: number; readonly T: number; readonly S: number };
  /** int32 (b, t), padded on the right. */
  readonly ids: Int32Array;
  /** int32 (b, t): 1 for a token, 0 for padding. */
  readonly attentionMask: Int32Array;
  /** int32 (b, t): the id where it is learnt, else −100. Not shifted. */
  readonly labels: Int32Array;
  /** float32 (b, T, 3, S, S): flipped where a coin said so; zeros in the place of an image that a row has not. */
  readonly images: Float32Array;
  /** How many images each row has. */
  readonly imageCounts: readonly number[];
  /** For each row, which of its images are flipped: with its key the identity of what is in `images`. */
  readonly flipped: readonly (readonly boolean[])[];
  readonly keys: readonly SampleKey[];
}

export interface CollateOptions {
  /** The id of padding. */
  readonly padding: number;
  /** Pixels a side. */
  readonly size: number;
  /** Tokens of a row; as many as the longest has unless given. */
  readonly tokens?: number | undefined;
  /** Images of a row; as many as the row with most has unless given. */
  readonly images?: number | undefined;
}

/**
 * @param rows at least one
 * @throws OpenFlamingoError `usage` for a row that is longer than `tokens`
 */
export function collate(
  rows: readonly (AssembledSample & { readonly at: SampleKey })[],
  { padding, size, tokens, images }: CollateOptions,
): CollatedBatch {
  const pad = (values: readonly Int32Array[], value: number) =>
    padRows(
      values.map((row) => Array.from(row)),
      { padding: value, side: "right", ...(tokens !== undefined && { length: tokens }) },
    );
  const { ids, mask } = pad(
    rows.map((row) => row.ids),
    padding,
  );
  const labels = pad(
    rows.map((row) => row.labels),
    IGNORED,
  );
  const slots = images ?? Math.max(...rows.map((row) => row.images.length));
  const perImage = 3 * size * size;
  const pixels = new Float32Array(rows.length * slots * perImage);
  for (const [r, row] of rows.entries()) {
    for (const [i, image] of row.images.slice(0, slots).entries()) {
      const target = pixels.subarray((r * slots + i) * perImage, (r * slots + i + 1) * perImage);
      if (row.flipped[i]) flipInto(target, image, size);
      else target.set(image);
    }
  }
  return {
    sizes: { b: rows.length, t: ids[0]!.length, T: slots, S: size },
    ids: Int32Array.from(ids.flat()),
    attentionMask: Int32Array.from(mask.flat()),
    labels: Int32Array.from(labels.ids.flat()),
    images: pixels,
    imageCounts: rows.map((row) => Math.min(slots, row.images.length)),
    flipped: rows.map((row) => row.flipped.slice(0, slots)),
    keys: rows.map((row) => row.at),
  };
}

/** Writes an image flipped left to right. @param image float32 (3, S, S) */
function flipInto(target: Float32Array, image: Float32Array, size: number): void {
  for (let row = 0; row < image.length; row += size) {
    for (let x = 0; x < size; x++) target[row + x] = image[row + size - 1 - x]!;
  }
}
