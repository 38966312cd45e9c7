/**
 * The compatible API's `generate` beside the reference implementation's: whole rows of both generation files of every
 * tiny model.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GeneratedSequences } from "../../../src/index.js";
import { type GenerationCase, generationCases } from "../../generate/cases.js";
import { compared } from "../../parity.js";
import { tinyModelsWith } from "../../tinyModel.js";
import { type OpenedTinyModel, openTinyModelByName } from "./opened.js";

type WholeCase = GenerationCase & {
  readonly prompts: readonly string[];
  readonly sequences: readonly (readonly number[])[];
  readonly text: readonly string[];
  readonly text_skip_special_tokens: readonly string[];
};

/** The case's arguments by their names here. The published reference's GPT-NeoX kept keys and values, asked or not. */
function argumentsOf({ kwargs, file }: GenerationCase, keeps: boolean) {
  const { force } = kwargs;
  return {
    maxNewTokens: kwargs.max_new_tokens,
    minNewTokens: kwargs.min_new_tokens,
    maxLength: kwargs.max_length,
    eosTokenId: kwargs.eos_token_id,
    padTokenId: kwargs.pad_token_id,
    useCache: keeps && file === "generation.json" ? true : kwargs.use_cache,
    repetitionPenalty: kwargs.repetition_penalty,
    noRepeatNgramSize: kwargs.no_repeat_ngram_size,
    badWordsIds: kwargs.bad_words_ids,
    numBeams: kwargs.num_beams,
    numReturnSequences: kwargs.num_return_sequences,
    lengthPenalty: kwargs.length_penalty,
    earlyStopping: kwargs.early_stopping,
    ...(file === "generation-generated-length.json" && { beamLength: "generated" as const }),
    ...(force && {
      logitsProcessor: ({ row, step, scores }: { row: number; step: number; scores: Float32Array }) => {
        if (row !== force.row || step !== force.step) return;
        for (let id = 0; id < scores.length; id++) if (id !== force.token) scores[id] = -Infinity;
      },
    }),
  };
}

describe.each(tinyModelsWith("generation.json", "the compatible API's generate"))("$name", (golden) => {
  const { ids, contextLength, endOfText } = golden;
  const isNeox = golden.family === "gpt_neox";
  const cases = generationCases(golden) as readonly WholeCase[];
  let opened: OpenedTinyModel;
  let largest = 0;
  let scoresCompared = 0;
  beforeAll(async () => {
    opened = await openTinyModelByName(golden);
    opened.tokenizer.paddingSide = "left";
  });
  afterAll(async () => {
    const count = cases.reduce((sum, { sequences }) => sum + sequences.flat().length, 0);
    compared(`compatible API/ids/${golden.name}`, { cases: cases.length, values: count });
    compared(`compatible API/scores/${golden.name}`, {
      cases: cases.length,
      values: scoresCompared,
      largest,
      bound: 1e-4,
      unit: "relative",
    });
    await opened.model.close();
  });

  test.each(cases)("$file: $name", async (given) => {
    const { model, tokenizer, visionX } = opened;
    const { inputIds, attentionMask } = tokenizer([...given.prompts], { padding: true });
    expect(inputIds).toEqual(given.input_ids);
    expect(attentionMask).toEqual(given.attention_mask);
    const args = {
      visionX: visionX(given.pictures),
      langX: inputIds,
      attentionMask,
      ...argumentsOf(given, isNeox),
    };
    const { sequences, sequencesScores, scores } = await model.generate({ ...args, outputScores: true });
    expect(sequences).toEqual(given.sequences);
    expect(tokenizer.batchDecode(newTokens(sequences, inputIds))).toEqual(given.text);
    expect(tokenizer.batchDecode(newTokens(sequences, inputIds), { skipSpecialTokens: true })).toEqual(
      given.text_skip_special_tokens,
    );
    sequencesScores?.forEach((score, i) => {
      const reference = given.sequences_scores![i]!;
      // The file has seven decimals.
      largest = Math.max(largest, (Math.abs(score - reference) - 1e-7) / Math.abs(reference));
      scoresCompared++;
    });
    given.token_logprobs?.forEach((row, r) => {
      row.forEach((logProb, step) => {
        const chosenFrom = scores[step]![r];
        if (logProb === null || chosenFrom === undefined) return;
        const chosen = sequences[r]![inputIds[r]!.length + step]!;
        const all = Math.log(chosenFrom.reduce((sum, score) => sum + Math.exp(score), 0));
        largest = Math.max(largest, Math.abs(chosenFrom[chosen]! - all - logProb) / Math.max(1, -logProb));
        scoresCompared++;
      });
    });
    expect(largest).toBeLessThan(1e-4);
  });

  const prompt = () => opened.tokenizer("<image>Output:");
  const ask = async (rows: number, extra: object) => {
    const { inputIds, attentionMask } = prompt();
    return opened.model.generate({
      visionX: opened.visionX(Array.from({ length: rows }, () => ["p0"])),
      langX: Array.from({ length: rows }, () => inputIds[0]!),
      attentionMask: Array.from({ length: rows }, () => attentionMask[0]!),
      maxNewTokens: 3,
      ...extra,
    });
  };

  test("one prompt, two samples: two rows, and the same again with the same seed", async () => {
    const rows = await ask(1, { doSample: true, numReturnSequences: 2, seed: 3 });
    expect(rows).toHaveLength(2);
    expect(await ask(1, { doSample: true, numReturnSequences: 2, seed: 3 })).toEqual(rows);
  });

  test("two prompts, two samples of each: rejected, as there", async () => {
    await expect(ask(2, { doSample: true, numReturnSequences: 2 })).rejects.toMatchObject({
      code: "usage",
      message: "numReturnSequences is 2 with 2 prompts: the images are not repeated",
    });
  });

  test("no end token where the language model names one: rejected without a padding token, as there", async () => {
    if (endOfText === undefined) {
      expect((await ask(1, { eosTokenId: null }))[0]).toHaveLength(prompt().inputIds[0]!.length + 3);
      return;
    }
    await expect(ask(1, { eosTokenId: null })).rejects.toMatchObject({
      code: "usage",
      message: `eosTokenId is null, the language model then ends at ${endOfText}, and there is no padTokenId`,
    });
    expect((await ask(1, { eosTokenId: null, padTokenId: 1 }))[0]!.length).toBeGreaterThan(3);
    expect((await ask(1, { eosTokenId: -1 }))[0]).toHaveLength(prompt().inputIds[0]!.length + 3);
  });

  test.each([
    [{ max_new_tokens: 3 }, 'generate has no option "max_new_tokens"'],
    [{ doSample: true, numBeams: 2 }, "numBeams is 2 and doSample true"],
    [{ numReturnSequences: 2 }, "there is one most probable sequence"],
    [{ numBeams: 2, numReturnSequences: 3 }, "numReturnSequences is 3, more than numBeams, which is 2"],
    [{ maxNewTokens: undefined, maxLength: 1 }, "maxLength is 1"],
    [{ doSample: true, topK: -1 }, "topK is -1"],
    [{ doSample: true, temperature: 0 }, "temperature is 0 and doSample true"],
    [{ numBeams: 0 }, "numBeams is 0"],
    [{ numReturnSequences: 0 }, "numReturnSequences is 0"],
    [{ signal: {} }, "signal is {}; it must be an AbortSignal"],
    [{ logitsProcessor: [5] }, "logitsProcessor[0] is 5; it must be a function"],
    [{ visionX: null }, "generate has no visionX"],
  ])("%j is rejected with a specific error", async (extra, message) => {
    await expect(ask(1, extra)).rejects.toThrow(message);
  });

  test.each([
    [{ doSample: "no" }, 'doSample is "no"; it must be true or false'],
    [{ outputScores: 0 }, "outputScores is 0; it must be true or false"],
    [{ numBeams: 100_000 }, "numBeams is 100000; it must be an integer from 1 to 64"],
    [{ numReturnSequences: 1e6 }, "numReturnSequences is 1000000; it must be an integer from 1 to 256"],
    [{ numBeams: 2, numReturnSequences: 3 }, "numReturnSequences is 3, more than numBeams"],
    [{ earlyStopping: "Never" }, 'earlyStopping is "Never"'],
    [{ beamLength: "gen" }, 'beamLength is "gen"'],
    [{ lengthPenalty: "long" }, 'lengthPenalty is "long"'],
    [{ temperature: 1e-300 }, "temperature is 1e-300"],
    [{ doSample: true, temperature: 0 }, "temperature is 0 and doSample true"],
    [{ repetitionPenalty: 0 }, "repetitionPenalty is 0"],
    [{ maxNewTokens: 2.5 }, "maxNewTokens is 2.5; it must be an integer ≥ 1"],
    [{ maxNewTokens: undefined, maxLength: 1 }, "maxLength is 1"],
    [{ maxNewTokens: 1e9 }, `the model has ${contextLength} positions`],
    [{ badWordsIds: [[1], []] }, "badWordsIds[1] is []; it must be a list of 1 or more"],
    [{ eosTokenId: [1, 2.5] }, "eosTokenId[1] is 2.5; it must be an integer ≥ -1"],
    [{ padTokenId: -1 }, "padTokenId is -1; it must be an integer ≥ 0"],
    [{ logitsProcessor: "x" }, 'logitsProcessor is "x"'],
  ])("%j is rejected before an image is looked at", async (extra, message) => {
    // An image that fails on its way, and one that the model cannot take: both would be errors of their own.
    const late = Promise.reject(new Error("the image comes too late"));
    for (const visionX of [late, { shape: [1], data: new Float32Array(1) }]) {
      await expect(ask(1, { ...extra, visionX })).rejects.toMatchObject({
        name: "OpenFlamingoError",
        code: message.includes("positions") ? "prompt-too-long" : "usage",
        message: expect.stringContaining(message),
      });
    }
  });

  test("what only sampling uses is ignored without it, a temperature of 0 too, and a top-k of 0 keeps all tokens", async () => {
    const greedy = await ask(1, {});
    expect(await ask(1, { temperature: 0, topK: 0, topP: 0.5, minP: 0.5, seed: 3 })).toEqual(greedy);
    const drawn = { doSample: true, seed: 5, maxNewTokens: 12 };
    expect(await ask(1, { ...drawn, topK: 0 })).toEqual(await ask(1, { ...drawn, topK: ids.size }));
    expect(await ask(1, { ...drawn, topK: 0 })).not.toEqual(await ask(1, { ...drawn, topK: 2 }));
  });

  test("an own processor sees the number of its row: of a beam prompt · beams + beam, of a sample its own", async () => {
    const seen = async (rows: number, extra: object) => {
      const numbers: number[] = [];
      const logitsProcessor = ({ row, step }: { row: number; step: number }) => {
        if (step === 1) numbers.push(row);
      };
      await ask(rows, { ...extra, logitsProcessor, eosTokenId: -1 });
      return numbers;
    };
    expect(await seen(2, { numBeams: 3 })).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await seen(1, { doSample: true, numReturnSequences: 3 })).toEqual([0, 1, 2]);
    expect(await seen(2, {})).toEqual([0, 1]);
  });

  test("scores stand by the numbers of their rows", async () => {
    const recorded = { maxNewTokens: 2, eosTokenId: -1, outputScores: true };
    const widths = async (rows: number, extra: object) => {
      const found = (await ask(rows, { ...recorded, ...extra })) as unknown as GeneratedSequences;
      return found.scores.map((step) => step.map((scores) => scores?.length));
    };
    const V = ids.size;
    expect(await widths(2, { numBeams: 2 })).toEqual([
      [V, V, V, V],
      [V, V, V, V],
    ]);
    expect(await widths(1, { doSample: true, numReturnSequences: 3 })).toEqual([
      [V, V, V],
      [V, V, V],
    ]);
    expect(await widths(1, { maxNewTokens: 1 })).toEqual([[V]]);
  });
});

const newTokens = (sequences: readonly (readonly number[])[], inputs: readonly (readonly number[])[]) => {
  const each = sequences.length / inputs.length;
  return sequences.map((row, i) => row.slice(inputs[Math.floor(i / each)]!.length));
};
