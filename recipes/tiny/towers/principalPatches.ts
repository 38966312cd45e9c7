/**
 * A start of the embedding of patches: the principal components of patches that were seen, each made as loud as the
 * others, so that from the first step on the numbers of a patch are uncorrelated and none of them is idle.
 */
import { randomStream } from "../../../src/base/random.js";
import { eigen } from "./eigen.js";

/**
 * @param patches samples, (n, k) row by row, their numbers in the order of the embedding's: colour, row, column
 * @param k numbers of a patch, 3·p·p
 * @param rows how many rows the embedding has, its hidden size
 * @param seed of the rows that go beyond the k components, uniform within ±1/√k as PyTorch begins a layer
 * @returns (rows, k): rows of falling variance, each with a deviation of about 1 over the samples
 */
export function principalPatches(
  patches: Float32Array,
  { k, rows, seed }: { k: number; rows: number; seed: number },
): Float32Array {
  const { values, vectors } = eigen(covariance(patches, k), k);
  const random = randomStream(seed, "rows beyond the principal components");
  // Detail that is hardly there is not made louder than a hundredth of the mean allows.
  const least = values.reduce((sum, x) => sum + x, 0) / k / 100;
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[b]! - values[a]!);
  const embedding = new Float32Array(rows * k);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < k; i++) {
      embedding[row * k + i] =
        row < k
          ? vectors[order[row]! * k + i]! / Math.sqrt(values[order[row]!]! + least)
          : (2 * random.uniform(i, row) - 1) * k ** -0.5;
    }
  }
  return embedding;
}

/** (n, k) → (k, k) */
function covariance(patches: Float32Array, k: number): Float64Array {
  const n = Math.floor(patches.length / k);
  const mean = new Float64Array(k);
  for (let i = 0; i < n * k; i++) mean[i % k]! += patches[i]! / n;
  const result = new Float64Array(k * k);
  const centred = new Float64Array(k);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) centred[i] = patches[row * k + i]! - mean[i]!;
    for (let i = 0; i < k; i++) {
      const own = centred[i]! / n;
      for (let j = i; j < k; j++) result[i * k + j]! += own * centred[j]!;
    }
  }
  for (let i = 0; i < k; i++) for (let j = 0; j < i; j++) result[i * k + j] = result[j * k + i]!;
  return result;
}
