/** Which patches of a batch's images are learnt from, where that is some of them. */
import { randomStream } from "../../../src/base/random.js";
import type { HostTensor } from "../../../src/runtime/hostTensor.js";

/**
 * For each image the class token and `kept` of its patches, drawn by lot and in their order: int32 (images, 1 + kept), as
 * rows of all images' tokens, (images · (1 + patches)).
 *
 * @param seed a whole number from 0 to 2^53 − 1; each step draws others
 */
export function keptTokens(
  step: number,
  { images, patches, kept, seed }: { images: number; patches: number; kept: number; seed: number },
): HostTensor<"int32"> {
  const random = randomStream(seed, "patches that are kept");
  const data = new Int32Array(images * (1 + kept));
  const all = Int32Array.from({ length: patches }, (_, i) => i);
  for (let image = 0; image < images; image++) {
    // The first of an order that is drawn from the front on.
    for (let i = 0; i < kept; i++) {
      const from = i + Math.floor((patches - i) * random.uniform(step, image * patches + i));
      [all[i], all[from]] = [all[from]!, all[i]!];
    }
    const first = image * (1 + patches);
    data[image * (1 + kept)] = first;
    const own = all.slice(0, kept).sort();
    own.forEach((patch, i) => {
      data[image * (1 + kept) + 1 + i] = first + 1 + patch;
    });
  }
  return { dtype: "int32", shape: [images, 1 + kept], data };
}
