/** The second stage: a language model of the recipe's own text, MPT's form. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type MptConfig, mpt } from "../../../src/models/mpt.js";
import type { HostTensor } from "../../../src/runtime/hostTensor.js";
import type { FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import type { LanguageSettings } from "../settings.js";
import { initialMpt } from "../towers/initialTower.js";
import { languageGraph, logitsGraph } from "../towers/languageGraph.js";
import { type Evaluate, trainTower } from "../towers/trainTower.js";
import { languageFiles, writeLanguageModel } from "../towers/writeTowers.js";
import { type Corpus, packRows } from "../words/corpus.js";
import { documentAt } from "../words/documents.js";
import { queryOf } from "../words/forms.js";
import { kindsOfPhotographs } from "../world/photographs.node.js";
import type { Stage } from "./stage.js";

/** @returns whether it is trained to its end */
export async function makeLanguageModel(stage: Stage, tokenizer: FlamingoTokenizer): Promise<boolean> {
  const { settings, things, work, folder, runtime, threads, tell } = stage;
  const target = join(folder, "lang");
  if (existsSync(join(target, languageFiles.weights))) return true;
  const { seed, language } = settings;
  const { evaluateEvery, checkpointEvery, ...numbers } = language;
  const config = configOf(language, settings.vocabulary);
  const model = mpt(config);
  const photographKinds = await kindsOfPhotographs(stage.photographs);
  const corpus: Corpus = { things, photographKinds, seed };
  const logits = logitsGraph(model);
  const bindings = heldOutBindings(stage, tokenizer, language.rowLength);
  const trained = await trainTower({
    ...{ runtime, threads, signal: stage.signal, stopAfterSeconds: stage.stopAfterSeconds },
    ...{
      program: languageGraph(model),
      initial: zeroImage(initialMpt({ seed, layers: config.layers }), tokenizer),
    },
    folder: join(work, "language"),
    settings: { seed, ...numbers, vocabulary: settings.vocabulary, photographs: photographKinds.length },
    steps: language.steps,
    learningRate: language.learningRate,
    averageDecay: 0.998,
    batchAt: (step) => batchAt(tokenizer, corpus, language, step),
    ...{ evaluateEvery, checkpointEvery },
    evaluate: async (load) => ({
      bindings_right: await shareRight(await load(logits), bindings, config.vocabulary),
    }),
    onProgress: ({ step, steps, values, seconds, waited, evaluation }) => {
      const more = evaluation ? ` ${JSON.stringify(evaluation)}` : "";
      if (evaluation || step % 20 === 0) {
        tell(
          `language ${step}/${steps} loss ${values.loss!.toFixed(4)} ${seconds.toFixed(2)} s (${waited.toFixed(2)})${more}`,
        );
      }
    },
  });
  if (!trained.isDone) return false;
  await writeLanguageModel(target, {
    config,
    tensors: trained.average ?? trained.parameters,
    dtype: "float16",
  });
  return true;
}

export const configOf = (language: LanguageSettings, vocabulary: number): MptConfig => ({
  ...{ layers: language.layers, hiddenSize: language.hiddenSize, heads: language.heads },
  ...{ mlpRatio: 4, vocabulary, contextLength: language.contextLength, alibiMax: 8 },
});

/** `<image>` stands in no text: from 0 its embedding is quick to learn what it should be when there are images. */
const zeroImage =
  (initial: ReturnType<typeof initialMpt>, { special }: FlamingoTokenizer): typeof initial =>
  (name, shape) => {
    const values = initial(name, shape);
    if (name === "transformer.wte.weight") {
      values.fill(0, special.image * shape[1]!, (special.image + 1) * shape[1]!);
    }
    return values;
  };

/** ids, the tokens behind them, and which of those are learnt. */
function batchAt(
  tokenizer: FlamingoTokenizer,
  corpus: Corpus,
  { rows, rowLength }: LanguageSettings,
  step: number,
) {
  const length = rowLength + 1;
  const packed = packRows(tokenizer, corpus, { first: step * rows, rows, length });
  const shape = [rows, rowLength];
  const ids = new Int32Array(rows * rowLength);
  const targets = new Int32Array(rows * rowLength);
  const weights = new Float32Array(rows * rowLength);
  for (let row = 0; row < rows; row++) {
    const [at, to] = [row * length, row * rowLength];
    ids.set(packed.ids.subarray(at, at + rowLength), to);
    targets.set(packed.ids.subarray(at + 1, at + length), to);
    weights.set(packed.weights.subarray(at + 1, at + length), to);
  }
  return {
    ids: { dtype: "int32", shape, data: ids },
    targets: { dtype: "int32", shape, data: targets },
    weights: { dtype: "float32", shape, data: weights },
  } satisfies Record<string, HostTensor>;
}

/** A text up to the first token of an answer, and that token. */
interface Question {
  readonly ids: readonly number[];
  readonly answer: number;
}

/** New names in texts: whether a name that was given is said again. */
function heldOutBindings(
  { things, settings }: Stage,
  tokenizer: FlamingoTokenizer,
  longest: number,
): Question[] {
  const questions: Question[] = [];
  for (let index = 0; questions.length < bindingCount; index++) {
    const document = documentAt({
      ...{ kind: "text-text", things, seed: settings.seed, index, split: "test", form: "direct" },
      sceneAt: () => {
        throw new Error("bindings have no scenes");
      },
    });
    const { prompt, answer } = queryOf(document);
    const [before, all] = [tokenizer.encode(prompt), tokenizer.encode(prompt + answer)];
    if (before.length < longest) questions.push({ ids: before, answer: all[before.length]! });
  }
  return questions;
}

const bindingCount = 128;

/** Over the whole vocabulary. */
async function shareRight(
  run: Evaluate,
  questions: readonly Question[],
  vocabulary: number,
): Promise<number> {
  let right = 0;
  for (const { ids, answer } of questions) {
    const { logits } = await run({
      ids: { dtype: "int32", shape: [1, ids.length], data: Int32Array.from(ids) },
    });
    const last = (logits!.data as Float32Array).subarray((ids.length - 1) * vocabulary);
    if (last.every((x) => x <= last[answer]!)) right++;
  }
  return right / questions.length;
}
