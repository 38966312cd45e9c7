/**
 * What each way to keep a model's weights costs in quality: the errors of its products, the loss on texts, and greedy
 * answers beside those of the most exact way that fits in memory. Each is made in memory, one after the other.
 */
import { withClosing } from "../base/dispose.js";
import type { Progress } from "../base/progress.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { productError } from "../prepare/checkProducts.js";
import { readWhole, type Sample } from "../prepare/sample.node.js";
import { calibrate } from "../runner/calibrate.js";
import { openModelRunner, programsOf } from "../runner/modelRunner.js";
import type { HostTensor } from "../runtime/hostTensor.js";
import type { Runtime } from "../runtime/runtime.js";
import type { KernelPool } from "../weights/kernelPool.js";
import { eachTensor, findWeights, type Importance, type ModelCheckpoints } from "../weights/loadWeights.js";
import { formatsOf, type Kept } from "../weights/weightFormats.js";
import { type Choice, formatsOfChoice } from "./choices.js";
import { differing, divergence, type Quality, qualityOf } from "./measure.js";
import { weightedError } from "./weightedError.js";

/** What was measured of one way to keep the weights. */
export interface FormatQuality {
  /** Such as `int4 b128`. */
  readonly name: string;
  /** For each matrix in few bits: the error of a product with random numbers, relative to its size. */
  readonly errors: ReadonlyMap<string, number>;
  /** With calibration: for each matrix that 4 bits may be kept in, the error with columns as strong as in the samples. */
  readonly weightedErrors: ReadonlyMap<string, number>;
  /** Mean −log p of the tokens of the texts. */
  readonly loss: number;
  /** Mean Kullback–Leibler divergence of its probabilities of those tokens from the reference's. */
  readonly divergence: number;
  /** How many greedy answers are others than the reference's. */
  readonly changedAnswers: number;
  /** How many tokens are, each chosen after the reference's own before it. */
  readonly changedTokens: number;
}

export interface QualityReport {
  /** Texts that were read. */
  readonly samples: number;
  /** The name of the format that the others are compared with. */
  readonly reference: string;
  /** Tokens of its greedy answers. */
  readonly tokens: number;
  readonly formats: readonly FormatQuality[];
}

export interface MeasuredModel {
  readonly config: FlamingoConfig;
  readonly checkpoints: ModelCheckpoints;
  readonly runtime: Runtime;
  /** Where matrices are brought into blocks; on this thread when left out. */
  readonly pool?: KernelPool | undefined;
  readonly imageToken: number;
  readonly endOfChunk: number;
}

export interface ReportOptions {
  /** The first is the reference. Those that are calibrated need `calibration`. */
  readonly choices: readonly Choice[];
  readonly keep: Kept;
  /** What is read for the importance of columns; without calibration if left out. */
  readonly calibration?: readonly Sample[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with bytes of float32 done and in all, and the format that is read. */
  readonly onProgress?: Progress | undefined;
}

/** Greedy answers are at most so long. */
const maxNewTokens = 20;

/** @throws OpenFlamingoError as loading and generating */
export async function compareFormats(
  model: MeasuredModel,
  samples: readonly Sample[],
  options: ReportOptions,
): Promise<QualityReport> {
  const { calibration, choices } = options;
  const [first] = choices as [Choice];
  /** What was measured with the weights of each of these choices. */
  const importances = new Map<Choice, Importance>();
  /** The choice that reads the samples for another, as in `prepare`: the same without calibration. */
  const calibratedWith = ({ weights, block, calibrated }: Choice) =>
    calibrated
      ? choices.find((each) => each.weights === weights && each.block === block && isPlain(each))
      : undefined;
  const isNeeded = (choice: Choice) =>
    choice === first || choices.some((each) => calibratedWith(each) === choice);
  let reference: Quality | undefined;

  const measure = async (choice: Choice): Promise<FormatQuality> => {
    const reader = calibratedWith(choice);
    const importance = reader && importances.get(reader);
    const made = await make(model, choice, { ...options, importance, strength: importances.get(first) });
    const { runtime, config, imageToken } = model;
    const { signal, keep } = options;
    const opening = { runtime, config, imageToken, signal, weights: made.weights };
    const quality = await withClosing(async (closing) => {
      const runner = closing(await openModelRunner({ ...opening, programs: made.programs }));
      const limits = { maxNewTokens, endTokens: [model.endOfChunk], signal };
      return qualityOf(runner, samples, { ...limits, reference: reference?.answers });
    });
    if (calibration && isNeeded(choice)) {
      const read = { ...opening, searched: formatsOf("int4", { keep }) };
      importances.set(choice, await calibrate(made.formatOf, calibration.map(readWhole), read));
    }
    reference ??= quality;
    const { answers, distributions } = reference;
    const { errors, weightedErrors } = made;
    return {
      ...{ name: choice.name, errors, weightedErrors, loss: quality.loss },
      divergence: divergence(distributions, quality.distributions),
      changedAnswers: quality.answers.filter((answer, i) => answer.join() !== answers[i]!.join()).length,
      changedTokens: differing(quality.chosen, answers),
    };
  };

  const formats: FormatQuality[] = [];
  for (const choice of choices) formats.push(await measure(choice));
  const tokens = reference!.answers.flat().length;
  return { samples: samples.length, reference: first.name, tokens, formats };
}

const isPlain = ({ exact, calibrated }: Choice): boolean => !exact && !calibrated;

/** The weights of a model in one way, with the errors of its products. */
async function make(
  { config, checkpoints, runtime, pool }: MeasuredModel,
  choice: Choice,
  {
    keep,
    importance,
    strength,
    signal,
    onProgress,
  }: ReportOptions & Record<"importance" | "strength", Importance | undefined>,
) {
  const { formatOf, isHalf } = formatsOfChoice(choice, keep);
  const programs = programsOf(config, formatOf);
  const uses = programs.flatMap((program) => program.weights);
  const [errors, weightedErrors] = [new Map<string, number>(), new Map<string, number>()];
  const weights = new Map<string, HostTensor>();
  const reading = {
    ...{ importance, isHalf, pool, signal },
    onProgress: (done: number, total: number) => onProgress?.(done, total, choice.name),
  };
  for await (const read of eachTensor(uses, findWeights(uses, checkpoints, config.language), reading)) {
    const error = await productError(runtime, read, choice);
    if (error !== undefined) errors.set(read.tensor, error);
    const columns = strength?.get(read.tensor);
    const weighted = columns && weightedError(read, columns);
    if (weighted !== undefined) weightedErrors.set(read.tensor, weighted);
    for (const [{ name }, weight] of read.made) weights.set(name, weight);
  }
  return { weights, programs, formatOf, errors, weightedErrors };
}
