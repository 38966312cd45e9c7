/**
 * A running mean of the parameters, which after a short training is better than the last of them.
 *
 * Paper: "Acceleration of Stochastic Approximation by Averaging" (Polyak and Juditsky, 1992), in its exponential form.
 */

/**
 * The weight of the mean so far behind a step: at the beginning less than `decay`, so that the first values are soon
 * forgotten.
 *
 * @param step how many steps were made, from 1
 */
export const decayAt = (decay: number, step: number): number => Math.min(decay, step / (step + 10));

/** Moves the mean towards the parameters, in its memory. */
export function moveAverage(average: Float32Array, parameters: Float32Array, decay: number): void {
  const share = 1 - decay;
  for (let i = 0; i < average.length; i++) average[i]! += share * (parameters[i]! - average[i]!);
}

/** Does work while the mean stands in the parameters' place, which is theirs again afterwards. */
export async function withAverage<T>(
  parameters: Float32Array,
  average: Float32Array,
  work: () => Promise<T>,
): Promise<T> {
  const own = parameters.slice();
  parameters.set(average);
  try {
    return await work();
  } finally {
    parameters.set(own);
  }
}
