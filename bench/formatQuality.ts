/** What formats of the weights do to a model: its loss on given answers, and its own greedy ones, beside float32. */

import { greedy } from "../src/generate/greedy.js";
import { argmax, logProbability } from "../src/generate/logits.js";
import type { FormatOf } from "../src/graph/index.js";
import type { EncodedImage } from "../src/runner/encodedImages.js";
import type { ModelRunner } from "../src/runner/modelRunner.js";
import { formatsOf } from "../src/runner/weightFormats.js";

/** The formats to choose from, float32 first; `exact`: the kernel that multiplies with activations as they are. */
export const choices: ReadonlyMap<string, FormatOf | undefined> = new Map([
  ["fp32", undefined],
  ["int8", formatsOf("int8")],
  ["int4 b128", formatsOf("int4")],
  ["int4 b128 exact", formatsOf("int4", { exact: true })],
  ["int4 b32", formatsOf("int4", { block: 32 })],
  ["int4 b32 exact", formatsOf("int4", { block: 32, exact: true })],
]);

/** A prompt and the answer that is wanted. */
export interface Sample {
  /** float32 (3, S, S) each, normalised. */
  readonly images: readonly Float32Array[];
  readonly ids: readonly number[];
  readonly answer: readonly number[];
}

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
}

export async function qualityOf(
  runner: ModelRunner,
  samples: readonly Sample[],
  { maxNewTokens, endTokens, reference }: QualityOptions,
): Promise<Quality> {
  const answers: number[][] = [];
  const chosen: number[][] = [];
  let [lost, learnt] = [0, 0];
  for (const [i, { images, ids, answer }] of samples.entries()) {
    const encoded: EncodedImage[] = [];
    for (const pixels of images) encoded.push(await runner.encode(pixels));
    /** The logits before each token of a continuation. */
    const logitsOf = async (continuation: readonly number[]) => {
      const prompts = [{ ids: [...ids, ...continuation.slice(0, -1)], images: encoded }];
      const decoder = await runner.decoder(prompts, { capacity: 0 });
      const [all] = (await decoder.logits()) as [Float32Array];
      decoder.close();
      const width = runner.config.language.vocabulary;
      return continuation.map((_, at) => all.slice((ids.length - 1 + at) * width, (ids.length + at) * width));
    };
    const logits = await logitsOf(answer);
    lost -= answer.reduce((sum, token, at) => sum + logProbability(logits[at]!, token), 0);
    learnt += answer.length;

    const decoder = await runner.decoder([{ ids, images: encoded }], { capacity: maxNewTokens });
    const own: number[] = [];
    for await (const [token] of greedy(decoder, { maxNewTokens, endTokens, before: [ids] }))
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
