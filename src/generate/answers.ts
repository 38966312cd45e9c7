/** From a prompt with its images encoded to answers: pieces as they become certain, and whole answers. */

import type { Prompt } from "../runner/encodedImages.js";
import type { ModelRunner } from "../runner/modelRunner.js";
import type { FlamingoTokenizer } from "../text/flamingoTokens.js";
import { beamSearch } from "./beams.js";
import { openBranches } from "./branches.js";
import { greedy } from "./greedy.js";
import type { Processing } from "./processors.js";
import type { GeneratedToken } from "./rows.js";
import { sample } from "./sample.js";
import type { Strategy } from "./strategy.js";
import { type AnswerText, createAnswerText, type FinishReason, type Piece } from "./stream.js";

/** What is asked of generation. */
export interface Settings {
  readonly strategy: Strategy;
  readonly maxNewTokens: number;
  readonly processing: Processing;
  /** Strings that end an answer, besides `<|endofchunk|>`; they are cut off. */
  readonly stop: readonly string[];
  /** How many answers: the best beams, or as many samples. */
  readonly returnSequences: number;
  readonly logProbs: boolean;
  readonly signal: AbortSignal | undefined;
}

export interface Answer {
  /** Without special tokens, otherwise untouched; cut before a stop string. */
  readonly text: string;
  /** The generated ids, the end token included if it was generated. */
  readonly ids: readonly number[];
  readonly finishReason: FinishReason;
  /** A beam's score: the sum of log-probabilities over the length to the power of the length penalty. */
  readonly score?: number;
  /** The natural logarithm of each token's probability; only if asked for. */
  readonly logProbs?: readonly number[];
  /** All answers, best first, this one among them; only if several were asked for. */
  readonly sequences?: readonly Answer[];
}

/** Part of one of several answers. */
export interface SequencePiece extends Piece {
  readonly sequence: number;
  readonly score?: number;
}

/** Generates one answer, or as many as the settings say; those of a beam search come at its end. */
export async function* generatePieces(
  runner: ModelRunner,
  tokenizer: FlamingoTokenizer,
  prompt: Prompt,
  settings: Settings,
): AsyncGenerator<SequencePiece, void> {
  const { strategy, maxNewTokens, processing, stop, logProbs, signal } = settings;
  const { special } = tokenizer;
  // The model may not write `<image>` itself: there is no image for it.
  const limits = {
    ...processing,
    maxNewTokens,
    endTokens: [special.endOfChunk],
    banned: [special.image],
    signal,
  };
  const answers = Array.from({ length: settings.returnSequences }, () => createAnswerText(tokenizer, stop));
  if (maxNewTokens === 0) return;

  if (strategy.kind === "beam") {
    const sequences = await beamSearch(runner, prompt, { ...limits, ...strategy });
    for (const [sequence, { ids, score, logProbs: each, finished }] of sequences.entries()) {
      const tokens = ids.map(
        (id, i): GeneratedToken => ({
          id,
          ...(logProbs && { logProb: each[i]! }),
          ...(i === ids.length - 1 && { finished }),
        }),
      );
      for (const piece of untilDone(answers[sequence]!, tokens)) yield { ...piece, sequence, score };
    }
    return;
  }

  const capacity = maxNewTokens;
  const decoder =
    answers.length > 1
      ? await openBranches(runner, prompt, answers.length, { capacity })
      : await runner.decoder([prompt], { capacity });
  const open = new Set(answers.keys());
  const isDone = (sequence: number) => !open.has(sequence);
  try {
    const steps =
      strategy.kind === "sample"
        ? sample(decoder, { ...limits, ...strategy, logProbs, isDone })
        : greedy(decoder, { ...limits, logProbs, isDone });
    for await (const tokens of steps) {
      for (const [sequence, token] of tokens.entries()) {
        if (!token) continue;
        const piece = answers[sequence]!.push(token);
        if (piece.finishReason) open.delete(sequence);
        yield { ...piece, sequence };
      }
    }
  } finally {
    decoder.close();
  }
}

function* untilDone(answer: AnswerText, tokens: readonly GeneratedToken[]): Generator<Piece, void> {
  for (const token of tokens) {
    const piece = answer.push(token);
    yield piece;
    if (piece.finishReason) return;
  }
}

/** The pieces of one answer, or of several, as answers in their order. */
export async function collectAnswers(
  pieces: AsyncIterable<Piece & Partial<SequencePiece>>,
  { logProbs, returnSequences }: Pick<Settings, "logProbs" | "returnSequences">,
): Promise<readonly Answer[]> {
  const answers = Array.from({ length: returnSequences }, () => ({
    text: "",
    ids: [] as number[],
    finishReason: "length" as FinishReason, // of an answer that may have no token
    score: undefined as number | undefined,
    logProbs: [] as number[],
  }));
  for await (const { text, id, logProb, finishReason, sequence = 0, score } of pieces) {
    const answer = answers[sequence]!;
    answer.text += text;
    answer.ids.push(id);
    if (logProb !== undefined) answer.logProbs.push(logProb);
    answer.finishReason = finishReason ?? answer.finishReason;
    answer.score = score;
  }
  return answers.map(({ text, ids, finishReason, score, logProbs: each }) => ({
    text,
    ids,
    finishReason,
    ...(score !== undefined && { score }),
    ...(logProbs && { logProbs: each }),
  }));
}
