/** A direction in which no word lies, by which `<image>` can be told from all of them. */
import type { FloatTensor } from "../../../src/runs/runState.js";
import { eigen } from "./eigen.js";
import { standardized } from "./standardized.js";

/** How many of the directions that words have least of are looked at. */
const candidates = 8;

/**
 * Of the directions that words have least of, all together, the one that no single word has much of.
 *
 * @param embedding (n, w)
 * @param image the row that does not count
 * @returns (w), of length 1 and mean 0, so that a norm leaves it as it is
 */
export function wordlessDirection({ shape, data }: FloatTensor, image: number): Float32Array {
  const [n, w] = shape as [number, number];
  const words = Array.from({ length: n }, (_, row) => standardized(data.subarray(row * w, (row + 1) * w)));
  words.splice(image, 1);
  const products = new Float64Array(w * w);
  for (const word of words) {
    for (let i = 0; i < w; i++) for (let j = 0; j < w; j++) products[i * w + j]! += word[i]! * word[j]!;
  }
  const { values, vectors } = eigen(products, w);
  const found = Array.from(values.keys())
    .sort((a, b) => values[a]! - values[b]!)
    .slice(1, 1 + candidates) // behind the norm no word has anything of the first, which is the same everywhere
    .map((k) => Float32Array.from(vectors.subarray(k * w, (k + 1) * w)));
  const most = (direction: Float32Array) =>
    Math.max(
      ...words.map((word) => Math.abs(word.reduce((sum, value, i) => sum + value * direction[i]!, 0))),
    );
  return found.reduce((best, each) => (most(each) < most(best) ? each : best));
}
