/** The cases of the tiny models' two generation files, with their settings by our names: goldens/README.md. */

import type { Processing } from "../../src/generate/processors.js";
import type { Prompt } from "../../src/runner/encodedImages.js";
import type { GoldenModel, TinyModel, TokenIds } from "../tinyModel.js";

export interface GenerationCase {
  readonly file: string;
  /** Of the model. */
  readonly ids: TokenIds;
  readonly name: string;
  readonly pictures: readonly (readonly string[])[];
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
  readonly new_tokens: readonly (readonly number[])[];
  readonly token_logprobs?: readonly (readonly (number | null)[])[];
  readonly sequences_scores?: readonly number[];
  readonly kwargs: {
    readonly max_new_tokens?: number;
    readonly min_new_tokens?: number;
    readonly max_length?: number;
    readonly eos_token_id?: number | readonly number[] | null;
    readonly pad_token_id?: number;
    readonly use_cache?: boolean;
    readonly repetition_penalty?: number;
    readonly no_repeat_ngram_size?: number;
    readonly bad_words_ids?: readonly (readonly number[])[];
    readonly force?: { readonly row: number; readonly step: number; readonly token: number };
    readonly num_beams?: number;
    readonly num_return_sequences?: number;
    readonly length_penalty?: number;
    readonly early_stopping?: boolean | "never";
  };
}

type Given = Pick<GoldenModel, "goldenJson" | "ids">;

export const generationCases = ({ goldenJson, ids }: Given): readonly GenerationCase[] =>
  ["generation.json", "generation-generated-length.json"].flatMap((file) =>
    goldenJson<{ cases: Omit<GenerationCase, "file" | "ids">[] }>(file).cases.map((each) => ({
      ...each,
      file,
      ids,
    })),
  );

/** Cases of beam search, and all others, which are greedy. */
export const hasBeams = ({ kwargs }: GenerationCase): boolean => (kwargs.num_beams ?? 1) > 1;

/** A row of a case without its padding. */
export const promptOf = async (
  tinyModel: TinyModel,
  given: GenerationCase,
  row: number,
): Promise<Prompt> => ({
  ids: given.input_ids[row]!.filter((_, at) => given.attention_mask[row]![at] === 1),
  images: await Promise.all(given.pictures[row]!.map((image) => tinyModel.image(image))),
});

export function endTokensOf({ kwargs, ids }: GenerationCase) {
  const { eos_token_id: end = ids.endofchunk } = kwargs;
  return end === null || end === -1 ? [] : typeof end === "number" ? [end] : end;
}

export const maxNewTokensOf = ({ kwargs, input_ids }: GenerationCase): number =>
  kwargs.max_new_tokens ?? (kwargs.max_length ?? 20) - input_ids[0]!.length;

export function processingOf({ kwargs }: GenerationCase): Processing {
  const { force } = kwargs;
  return {
    repetitionPenalty: kwargs.repetition_penalty,
    noRepeatNgramSize: kwargs.no_repeat_ngram_size,
    badWords: kwargs.bad_words_ids,
    minNewTokens: kwargs.min_new_tokens,
    processors: force && [
      ({ row, step, logits }) => {
        if (row === force.row && step === force.step) {
          for (let id = 0; id < logits.length; id++) if (id !== force.token) logits[id] = -Infinity;
        }
      },
    ],
  };
}
