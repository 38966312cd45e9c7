/** Images with texts as a model reads them, to measure it with. */
import type { Sample } from "../prepare/sample.node.js";
import type { ModelParts } from "./configs.js";
import type { FlamingoParts } from "./createFlamingo.js";
import { captionPrompt, contentOf, idsOf, type Shot } from "./prompt.js";

/**
 * Each text as the answer to the prompt of a caption, with its end.
 *
 * @throws OpenFlamingoError what reading an image throws
 */
export async function samplesOf(
  shots: readonly Shot[],
  { tokenizer }: Pick<ModelParts, "tokenizer">,
  readImage: FlamingoParts["readImage"],
  signal: AbortSignal | undefined,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (const { image, text } of shots) {
    const ids = idsOf(tokenizer, contentOf(captionPrompt(image), undefined));
    const answer = [
      ...tokenizer.encode(text, { specialTokens: false, startAndEnd: false }),
      tokenizer.special.endOfChunk,
    ];
    samples.push({ images: [await readImage(image, signal)], ids, answer });
  }
  return samples;
}
