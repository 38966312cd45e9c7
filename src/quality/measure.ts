/** How good a model is, by texts that are wanted and by its own greedy answers beside those of another format. */
import { greedy } from "../generate/greedy.js";
import { argmax, logProbabilities } from "../generate/logits.js";
import type { Sample } from "../prepare/sample.node.js";
import type { EncodedImage, Prompt } from "../runner/encodedImages.js";
import type { ModelRunner } from "../runner/modelRunner.js";

export interface Quality {
  /** Mean −log p of the answers' tokens. */
  readonly loss: number;
  /** The greedy answers, a list of ids each. */
  readonly answers: readonly (readonly number[])[];
  /** The most probable token at each place of the reference's greedy answers. */
  readonly chosen: readonly (readonly number[])[];
  /** Logarithms of the probabilities of all tokens, (V), at each of the first `mostCompared` places of the wanted answers. */
  readonly distributions: readonly Float32Array[];
}

/** Places at which whole distributions are kept: 100 MB with a vocabulary of 50,000. */
const mostCompared = 512;

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
  const distributions: Float32Array[] = [];
  let [lost, learnt] = [0, 0];
  for (const [i, { images, ids, answer }] of samples.entries()) {
    const encoded: EncodedImage[] = [];
    for (const pixels of images) encoded.push(await runner.encode(pixels, { signal }));
    const prompt = { ids, images: encoded };

    const wanted = (await logitsAlong(runner, prompt, answer, signal)).map(logProbabilities);
    lost -= answer.reduce((sum, token, at) => sum + wanted[at]![token]!, 0);
    learnt += answer.length;
    distributions.push(...wanted.slice(0, mostCompared - distributions.length));

    const own: number[] = [];
    const decoder = await runner.decoder([prompt], { capacity: maxNewTokens });
    try {
      const limits = { maxNewTokens, endTokens, before: [ids], signal };
      for await (const [token] of greedy(decoder, limits)) own.push(token!.id);
    } finally {
      decoder.close();
    }
    answers.push(own);
    chosen.push((await logitsAlong(runner, prompt, reference?.[i] ?? own, signal)).map(argmax));
  }
  return { loss: lost / learnt, answers, chosen, distributions };
}

/** The logits (V) before each token of a continuation. */
async function logitsAlong(
  runner: ModelRunner,
  { ids, images }: Prompt,
  continuation: readonly number[],
  signal: AbortSignal | undefined,
): Promise<readonly Float32Array[]> {
  const read = { ids: [...ids, ...continuation.slice(0, -1)], images };
  const decoder = await runner.decoder([read], { capacity: 0 });
  try {
    const [all] = (await decoder.logits({ signal })) as [Float32Array];
    const V = runner.config.language.vocabulary;
    return continuation.map((_, at) => all.slice((ids.length - 1 + at) * V, (ids.length + at) * V));
  } finally {
    decoder.close();
  }
}

/** Mean Σ p (log p − log q) over all places: how much less is known of the reference's tokens, p, with the others, q. */
export function divergence(reference: Quality["distributions"], found: Quality["distributions"]): number {
  const each = reference.map((p, place) => {
    const q = found[place]!;
    return p.reduce((sum, logP, token) => sum + Math.exp(logP) * (logP - q[token]!), 0);
  });
  return each.reduce((sum, one) => sum + one, 0) / each.length;
}

/** How many tokens of `found` differ from those at the same places of `expected`. */
export const differing = (found: Quality["chosen"], expected: Quality["answers"]): number =>
  found.flatMap((row, i) => row.filter((token, at) => token !== expected[i]![at])).length;
