/** How good a model is, by texts that are wanted and by its own greedy answers beside those of another format. */
import { greedy } from "../generate/greedy.js";
import { argmax, logProbability } from "../generate/logits.js";
import type { Sample } from "../prepare/sample.node.js";
import type { EncodedImage } from "../runner/encodedImages.js";
import type { ModelRunner } from "../runner/modelRunner.js";

export interface Quality {
  /** Mean −log p of the answers' tokens. */
  readonly loss: number;
  /** The greedy answers, a list of ids each. */
  readonly answers: readonly (readonly number[])[];
  /** The most probable token at each place of the reference's greedy answers. */
  readonly chosen: readonly (readonly number[])[];
}

export interface QualityOptions {
  readonly maxNewTokens: number;
  readonly endTokens: readonly number[];
  /** Greedy answers of another choice, whose tokens are read in place of its own; its own when left out. */
  readonly reference?: Quality["answers"] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function qualityOf(
  runner: ModelRunner,
  samples: readonly Sample[],
  { maxNewTokens, endTokens, reference, signal }: QualityOptions,
): Promise<Quality> {
  const answers: number[][] = [];
  const chosen: number[][] = [];
  let [lost, learnt] = [0, 0];
  for (const [i, { images, ids, answer }] of samples.entries()) {
    const encoded: EncodedImage[] = [];
    for (const pixels of images) encoded.push(await runner.encode(pixels, { signal }));
    /** The logits before each token of a continuation. */
    const logitsOf = async (continuation: readonly number[]) => {
      const prompts = [{ ids: [...ids, ...continuation.slice(0, -1)], images: encoded }];
      const decoder = await runner.decoder(prompts, { capacity: 0 });
      const [all] = (await decoder.logits({ signal })) as [Float32Array];
      decoder.close();
      const width = runner.config.language.vocabulary;
      return continuation.map((_, at) => all.slice((ids.length - 1 + at) * width, (ids.length + at) * width));
    };
    const logits = await logitsOf(answer);
    signal?.throwIfAborted();
    lost -= answer.reduce((sum, token, at) => sum + logProbability(logits[at]!, token), 0);
    learnt += answer.length;

    const decoder = await runner.decoder([{ ids, images: encoded }], { capacity: maxNewTokens });
    const own: number[] = [];
    for await (const [token] of greedy(decoder, { maxNewTokens, endTokens, before: [ids], signal }))
      own.push(token!.id);
    decoder.close();
    answers.push(own);
    chosen.push((await logitsOf(reference?.[i] ?? own)).map(argmax));
  }
  return { loss: lost / learnt, answers, chosen };
}

/** How many tokens of `found` differ from those at the same places of `expected`. */
export const differing = (found: Quality["chosen"], expected: Quality["answers"]): number =>
  found.flatMap((row, i) => row.filter((token, at) => token !== expected[i]![at])).length;
