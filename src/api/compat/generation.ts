/**
 * The compatible API's `generate`: rows of ids in, rows of ids out.
 *
 * Reference: open_flamingo/src/flamingo.py, `Flamingo.generate`, on transformers 4.33.3, `GenerationMixin.generate`.
 */
import { beamSearch } from "../../generate/beams.js";
import { greedy } from "../../generate/greedy.js";
import type { RowState } from "../../generate/processors.js";
import type { GenerationLimits } from "../../generate/rows.js";
import { sample } from "../../generate/sample.js";
import type { Prompt } from "../../runner/encodedImages.js";
import type { ModelRunner } from "../../runner/modelRunner.js";
import type { Plan } from "./generationArguments.js";
import type { PlainRows } from "./inputs.js";

export interface GeneratedSequences {
  /** (B · numReturnSequences, length): prompt, padding included, and new ids; a prompt's sequences stand together. */
  readonly sequences: number[][];
  /**
   * For each step and row (of a beam search: prompt · beams + beam) what the token was chosen from, (V); a row that has
   * ended has none.
   */
  readonly scores: readonly (readonly (Float32Array | undefined)[])[];
  /** Of each sequence; only of a beam search. */
  readonly sequencesScores?: readonly number[];
}

/**
 * @param langX the rows as they were given, padding included
 * @param prompts the same without padding, with their images
 * @throws OpenFlamingoError `usage`, `prompt-too-long`, `image-count`, `logits-not-finite`, `backend`
 */
export async function generateSequences(
  runner: ModelRunner,
  langX: PlainRows,
  prompts: readonly Prompt[],
  plan: Plan,
): Promise<GeneratedSequences> {
  const { doSample, numBeams, numReturnSequences, maxNewTokens, endTokens, padding } = plan;
  const scores: (Float32Array | undefined)[][] = [];
  const record = (state: RowState, row = state.row) => {
    scores[state.step] ??= [];
    scores[state.step]![row] = state.logits.slice();
  };
  const recording = plan.outputScores;
  const limits = { ...plan.processing, maxNewTokens, endTokens, signal: plan.signal };

  if (numBeams > 1) {
    const found = [];
    for (const [b, prompt] of prompts.entries()) {
      const rowOf = ({ row }: { readonly row: number }) => b * numBeams + row;
      found.push(
        ...(await beamSearch(runner, prompt, {
          ...limits,
          processors: limits.processors.map((process) => (state) => process({ ...state, row: rowOf(state) })),
          ...(recording && { onScores: (state) => record(state, rowOf(state)) }),
          beams: numBeams,
          lengthPenalty: plan.lengthPenalty,
          earlyStopping: plan.earlyStopping,
          beamLength: plan.beamLength,
          returnSequences: numReturnSequences,
          before: langX[b],
        })),
      );
    }
    const sequences = found.map(({ ids }, i) => [...langX[Math.floor(i / numReturnSequences)]!, ...ids]);
    return {
      sequences: filled(sequences, padding),
      scores,
      sequencesScores: found.map(({ score }) => score),
    };
  }

  const rows = prompts.flatMap((prompt) => Array.from({ length: numReturnSequences }, () => prompt));
  const before = langX.flatMap((row) => Array.from({ length: numReturnSequences }, () => row));
  const decoder = await runner.decoder(rows, {
    capacity: maxNewTokens,
    writtenImages: plan.useCache ? "restart" : "add",
  });
  try {
    const sequences = before.map((row) => [...row]);
    const rowLimits: GenerationLimits = {
      ...limits,
      before,
      ...(recording && { onScores: (state) => record(state) }),
    };
    const { temperature, topK, topP, minP, seed } = plan;
    const steps = doSample
      ? sample(decoder, { ...rowLimits, temperature, topK, topP, minP, seed })
      : greedy(decoder, rowLimits);
    for await (const tokens of steps) {
      for (const [row, token] of tokens.entries()) if (token) sequences[row]!.push(token.id);
    }
    return { sequences: filled(sequences, padding), scores };
  } finally {
    decoder.close();
  }
}

/** All of the longest one's length. */
function filled(sequences: readonly (readonly number[])[], padding: number): number[][] {
  const longest = Math.max(...sequences.map(({ length }) => length));
  return sequences.map((ids) => [...ids, ...Array.from({ length: longest - ids.length }, () => padding)]);
}
