/** torch's generator for small tensors on the CPU: the golden set's coins of flips. */
import { seedByWord, twisterFrom } from "../../src/base/mersenneTwister.js";

/** `torch.manual_seed(seed)`, then `torch.rand(1)` at each call. */
export function torchRand(seed: number): () => number {
  const twister = twisterFrom(seedByWord(seed));
  return () => (twister.next() & (2 ** 24 - 1)) / 2 ** 24;
}
