/** The steps of a run that are left, and what is kept of them. */
import { OpenFlamingoError } from "../base/errors.js";
import type { JsonValue } from "../base/json.js";
import type { SkipCounts } from "../data/skips.js";
import type { DataKind, TrainingBatches } from "../learn/batch.js";
import { frozenOf, tensorsOf } from "../learn/stateTensors.js";
import type { StepResult, TrainingStep } from "../learn/step.js";
import type { Run } from "../runs/runFolder.node.js";
import { torchFiles } from "../runs/torchFiles.node.js";
import type { Epochs } from "./epochs.js";
import type { TrainingOptions } from "./options/table.js";
import type { SkipReport } from "./skipReport.js";
import { torchTraining } from "./torchTraining.js";
import type { BatchSource } from "./trainingBatches.node.js";

/** A step that was made. */
export interface StepReport {
  /** Counted from 1. */
  readonly step: number;
  /** The mean of the step's batches; not there for a kind that is not trained on. */
  readonly loss: { readonly [kind in DataKind]?: number };
  /** Of all gradients together, before they were clipped. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly seconds: number;
  readonly samples: number;
  readonly tokens: number;
  /** The share of all time so far in which data were waited for. */
  readonly waitingShare: number;
  /** What of the data was left out up to this step, by cause; since the run began. */
  readonly skipped: SkipCounts;
  /** Of the validation data, where it was computed behind this step. */
  readonly validationLoss?: number | undefined;
  /** The folder of the checkpoint that was saved behind this step. */
  readonly checkpoint?: string | undefined;
  /** Captions of the images that are watched, where they were made behind this step. */
  readonly captions?: readonly string[] | undefined;
}

export interface StepsOptions {
  readonly run: Run;
  readonly step: TrainingStep;
  readonly source: BatchSource;
  readonly options: TrainingOptions;
  readonly epochs: Epochs;
  /** The loss of the validation data. */
  readonly validate: (() => Promise<number>) | undefined;
  /** Captions by the newest checkpoint; none where they could not be made. */
  readonly caption: (() => Promise<readonly string[] | undefined>) | undefined;
  readonly skips: SkipReport;
  readonly onNotice: (text: string) => void;
  readonly signal: AbortSignal | undefined;
}

/** See `Trainer.steps`. */
export async function* makeSteps({
  run,
  step,
  source,
  options,
  epochs,
  validate,
  caption,
  skips,
  onNotice,
  signal,
}: StepsOptions): AsyncGenerator<StepReport, void> {
  let done = run.latest?.step ?? 0;
  let saved = done;
  let data: JsonValue = run.latest?.data ?? {};
  let isOver = false; // nothing is left to be saved, or nothing that may be
  const save = async (keep = options.keepCheckpoints) => {
    isOver = true; // until it has succeeded: a disk that rejects it is not asked twice
    const tensors = tensorsOf(step.state, step.whole);
    const folder = await run.save(
      {
        ...{ step: done, data, schedule: { steps: step.state.step }, random: { seed: options.seed } },
        ...{ ...tensors, frozen: frozenOf(step.state, step.whole) },
      },
      {
        ...{ keep, keepEvery: options.keepCheckpointEvery },
        files: torchFiles(options.writeTorch, torchTraining({ done, step, options, epochs, tensors })),
      },
    );
    saved = done;
    isOver = false;
    return folder;
  };
  const isDue = (every: number) => done % every === 0 || done === epochs.steps;
  let failure: unknown;
  try {
    while (done < epochs.steps) {
      const began = performance.now();
      const { batches, keys, tokens, position, skipped } = await nextStep(source, epochs.batchesOf(done));
      const result = await step.run(batches, { signal }).catch(async (error: unknown) => {
        isOver = step.isDamaged();
        if (!isNotFinite(error)) throw error;
        // Numbers that are none are no state to go on from; and none that was kept goes for one that leads here.
        if (done > saved && step.state.parameters.every(Number.isFinite)) await save(Number.MAX_SAFE_INTEGER);
        isOver = true;
        throw withKeys(error, keys, { run: run.folder, saved });
      });
      done++;
      data = position;
      const report: StepReport = {
        ...{ step: done, loss: meanLosses(result), tokens, seconds: (performance.now() - began) / 1000 },
        gradientNorm: result.gradientNorms.at(-1) ?? 0,
        learningRate: result.learningRate,
        samples: keys.reduce((sum, names) => sum + names.length, 0),
        waitingShare: source.waitingShare(),
        skipped,
      };
      if (isDue(options.loggingSteps)) await run.log(done, logged(report));
      skips.tell();
      const validationLoss = validate && isDue(options.validationSteps) ? await validate() : undefined;
      if (validationLoss !== undefined) await run.log(done, { loss_validation: validationLoss });
      const isWatched = caption !== undefined && isDue(options.captionSteps);
      const checkpoint = isWatched || isDue(options.checkpointSteps) ? await save() : undefined;
      const captions = isWatched ? await caption() : undefined;
      if (captions) await run.log(done, named(captions));
      yield { ...report, validationLoss, checkpoint, captions };
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    skips.end();
    // Whatever ended the run, the state is that of the last step that was whole.
    if (done > saved && !isOver) {
      await save().catch((error: unknown) => {
        if (!(failure instanceof OpenFlamingoError)) throw error;
        // What ended the run is the error; that this came on top must not be lost.
        onNotice((error as Error).message);
      });
    }
  }
}

async function nextStep(source: BatchSource, count: number) {
  const batches: TrainingBatches[] = [];
  const keys: (readonly string[])[] = [];
  let tokens = 0;
  let position: JsonValue = {};
  let skipped: SkipCounts = {};
  for (let i = 0; i < count; i++) {
    const next = await source.next();
    batches.push(next.batches);
    keys.push(next.keys);
    tokens += next.tokens;
    position = next.positions as JsonValue;
    skipped = next.skipped;
  }
  return { batches, keys, tokens, position, skipped };
}

/** The values of a step in the log. */
const logged = ({ loss, gradientNorm, learningRate, ...report }: StepReport) => ({
  ...(loss.laion !== undefined && { loss_laion: loss.laion }),
  ...(loss.mmc4 !== undefined && { loss_mmc4: loss.mmc4 }),
  ...{ gradient_norm: gradientNorm, lr: learningRate, step_time: report.seconds },
  samples_per_second: report.samples / report.seconds,
  tokens_per_second: report.tokens / report.seconds,
  data_time_share: report.waitingShare,
  ...Object.fromEntries(
    Object.entries(report.skipped).map(([cause, count]) => [`skipped_${cause.replaceAll("-", "_")}`, count]),
  ),
});

const named = (captions: readonly string[]) =>
  Object.fromEntries(captions.map((text, i) => [`caption_${i}`, text]));

function meanLosses({ losses }: StepResult): StepReport["loss"] {
  const mean = (kind: DataKind) => {
    const all = losses.flatMap(({ [kind]: loss }) => loss ?? []);
    return all.length === 0 ? undefined : all.reduce((sum, loss) => sum + loss, 0) / all.length;
  };
  const [laion, mmc4] = [mean("laion"), mean("mmc4")];
  return { ...(laion !== undefined && { laion }), ...(mmc4 !== undefined && { mmc4 }) };
}

const isNotFinite = (error: unknown): error is OpenFlamingoError =>
  error instanceof OpenFlamingoError && error.code === "loss-not-finite";

/** A loss that is not a number, with the samples that it is of. */
function withKeys(
  error: OpenFlamingoError,
  keys: readonly (readonly string[])[],
  { run, saved }: { readonly run: string; readonly saved: number },
): OpenFlamingoError {
  const samples = keys[error.data.batch as number]!;
  const shown = samples.slice(0, 5).join(", ");
  const more = samples.length > 5 ? ` and ${samples.length - 5} more` : "";
  const kept = saved > 0 ? `${run} has the checkpoint of step ${saved}.` : `${run} has no checkpoint yet.`;
  return new OpenFlamingoError("loss-not-finite", `${error.message}. Its samples: ${shown}${more}`, {
    hint: `${kept} ${error.hint}`,
    cause: error,
    data: { ...error.data, samples, saved },
  });
}
