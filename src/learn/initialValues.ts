/**
 * What parameters begin with that no checkpoint holds: the resampler's and the gated blocks'.
 *
 * Reference: open_flamingo/src/helpers.py and PyTorch's defaults for `nn.Linear` and `nn.LayerNorm`.
 */
import { elementCount } from "../base/dtypes.js";
import { randomStream } from "../base/random.js";

/**
 * Norms begin with 1 and 0, gates with `gate`: at 0 a new gated block changes nothing (Flamingo, Section 2.2); matrices
 * (n, k) are uniform within ±1/√k; latents and embeddings of time are of the standard normal distribution.
 *
 * @param name as in the checkpoint: the same name and seed give the same numbers, in whatever order
 * @param seed a whole number from 0 to 2^53 − 1
 */
export function initialValues(
  name: string,
  shape: readonly number[],
  seed: number,
  { gate = 0 }: { readonly gate?: number | undefined } = {},
): Float32Array {
  const values = new Float32Array(elementCount(shape));
  if (name.endsWith("_gate")) return values.fill(gate);
  if (shape.length === 1) return name.endsWith(".weight") ? values.fill(1) : values;
  const random = randomStream(seed, `initial values of ${name}`);
  const bound = shape.at(-1)! ** -0.5;
  const draw = name.endsWith(".weight")
    ? (i: number) => bound * (2 * random.uniform(i) - 1)
    : (i: number) => random.normal(i);
  for (let i = 0; i < values.length; i++) values[i] = draw(i);
  return values;
}
