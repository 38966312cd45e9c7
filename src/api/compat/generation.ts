/**
 * The compatible API's `generate`: rows of ids in, rows of ids out.
 *
 * Reference: open_flamingo/src/flamingo.py, `Flamingo.generate`, on transformers 4.33.3, `GenerationMixin.generate`.
 */
import { beamSearch, type Sequence } from "../../generate/beams.js";
import { openBranches } from "../../generate/branches.js";
import { greedy } from "../../generate/greedy.js";
import type { RowState } from "../../generate/processors.js";
import type { GenerationLimits } from "../../generate/rows.js";
import { sample } from "../../generate/sample.js";
import type { Strategy } from "../../generate/strategy.js";
import type { Prompt } from "../../runner/encodedImages.js";
import type { ModelRunner } from "../../runner/modelRunner.js";
import type { GenerationPlan } from "./generationArguments.js";
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

/** What is seen of the scores while sequences are generated, by the numbers of their rows. */
type Recorder = ((state: RowState, row: number) => void) | undefined;

/**
 * @param langX the rows as they were given, padding included
 * @param prompts the same without padding, with their images
 * @throws OpenFlamingoError `usage`, `prompt-too-long`, `image-count`, `logits-not-finite`, `backend`
 */
export async function generateSequences(
  runner: ModelRunner,
  langX: PlainRows,
  prompts: readonly Prompt[],
  plan: GenerationPlan,
): Promise<GeneratedSequences> {
  const scores: (Float32Array | undefined)[][] = [];
  const record: Recorder = plan.outputScores
    ? ({ step, logits }, row) => {
        scores[step] ??= [];
        scores[step]![row] = logits.slice();
      }
    : undefined;
  if (plan.strategy.kind === "beam") {
    const found = await byBeams(runner, langX, prompts, plan, plan.strategy, record);
    const sequences = found.map(({ ids }, i) => [...langX[Math.floor(i / plan.sequences)]!, ...ids]);
    const sequencesScores = found.map(({ score }) => score);
    return { sequences: filled(sequences, plan.padding), scores, sequencesScores };
  }
  const sequences = await byRows(runner, langX, prompts, plan, plan.strategy, record);
  return { sequences: filled(sequences, plan.padding), scores };
}

async function byBeams(
  runner: ModelRunner,
  langX: PlainRows,
  prompts: readonly Prompt[],
  { processing, maxNewTokens, endTokens, signal }: GenerationPlan,
  strategy: Extract<Strategy, { kind: "beam" }>,
  record: Recorder,
): Promise<readonly Sequence[]> {
  const found: Sequence[] = [];
  for (const [b, prompt] of prompts.entries()) {
    const rowOf = ({ row }: { readonly row: number }) => b * strategy.beams + row;
    const { processors, ...rules } = processing;
    found.push(
      ...(await beamSearch(runner, prompt, {
        ...rules,
        ...strategy,
        ...{ maxNewTokens, endTokens, signal },
        processors: processors.map((process) => (state) => process({ ...state, row: rowOf(state) })),
        ...(record && { onScores: (state) => record(state, rowOf(state)) }),
        before: langX[b],
      })),
    );
  }
  return found;
}

async function byRows(
  runner: ModelRunner,
  langX: PlainRows,
  prompts: readonly Prompt[],
  { processing, maxNewTokens, endTokens, sequences: count, writtenImages, signal }: GenerationPlan,
  strategy: Exclude<Strategy, { kind: "beam" }>,
  record: Recorder,
): Promise<readonly number[][]> {
  const options = { capacity: maxNewTokens, writtenImages };
  // Several sequences are of one prompt: `strategyOf`.
  const decoder =
    count > 1
      ? await openBranches(runner, prompts[0]!, count, options)
      : await runner.decoder(prompts, options);
  try {
    const before = langX.flatMap((row) => Array.from({ length: count }, () => row));
    const sequences = before.map((row) => [...row]);
    const limits: GenerationLimits = {
      ...processing,
      ...{ maxNewTokens, endTokens, signal, before },
      ...(record && { onScores: (state) => record(state, state.row) }),
    };
    const steps =
      strategy.kind === "sample" ? sample(decoder, { ...limits, ...strategy }) : greedy(decoder, limits);
    for await (const tokens of steps) {
      for (const [row, token] of tokens.entries()) if (token) sequences[row]!.push(token.id);
    }
    return sequences;
  } finally {
    decoder.close();
  }
}

/** All of the longest one's length. */
function filled(sequences: readonly (readonly number[])[], padding: number): number[][] {
  const longest = Math.max(...sequences.map(({ length }) => length));
  return sequences.map((ids) => [...ids, ...Array.from({ length: longest - ids.length }, () => padding)]);
}
