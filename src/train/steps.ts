/** The steps of a run that are left, and what is kept of them. */
import { OpenFlamingoError } from "../base/errors.js";
import type { JsonValue } from "../base/json.js";
import type { Run } from "../runs/runFolder.node.js";
import { torchFiles } from "../runs/torchFiles.node.js";
import type { DataKind, TrainingBatches } from "./batch.js";
import type { Epochs } from "./epochs.js";
import type { TrainingOptions } from "./options/table.js";
import { tensorsOf } from "./stateTensors.js";
import type { StepResult, TrainingStep } from "./step.js";
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
  /** Captions by the newest checkpoint. */
  readonly caption: (() => Promise<readonly string[]>) | undefined;
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
  signal,
}: StepsOptions): AsyncGenerator<StepReport, void> {
  let done = run.latest?.step ?? 0;
  let saved = done;
  let data: JsonValue = run.latest?.data ?? {};
  const save = async () => {
    const tensors = tensorsOf(step.state, step.whole);
    const training = torchTraining(tensors, { done, updates: step.state.step }, options, epochs);
    const folder = await run.save(
      {
        ...{ step: done, data, schedule: { steps: step.state.step }, random: { seed: options.seed } },
        ...tensors,
      },
      {
        ...{ keep: options.keepCheckpoints, keepEvery: options.keepCheckpointEvery },
        files: torchFiles(options.writeTorch, training),
      },
    );
    saved = done;
    return folder;
  };
  const isDue = (every: number) => done % every === 0 || done === epochs.steps;
  try {
    while (done < epochs.steps) {
      const began = performance.now();
      const { batches, keys, tokens, position } = await nextStep(source, epochs.batchesOf(done));
      const result = await step.run(batches, { signal }).catch((error: unknown) => {
        throw withKeys(error, keys, run.folder);
      });
      done++;
      data = position;
      const report: StepReport = {
        ...{ step: done, loss: meanLosses(result), tokens, seconds: (performance.now() - began) / 1000 },
        gradientNorm: result.gradientNorms.at(-1) ?? 0,
        learningRate: result.learningRate,
        samples: keys.reduce((sum, names) => sum + names.length, 0),
        waitingShare: source.waitingShare(),
      };
      if (isDue(options.loggingSteps)) await run.log(done, logged(report));
      const validationLoss = validate && isDue(options.validationSteps) ? await validate() : undefined;
      if (validationLoss !== undefined) await run.log(done, { loss_validation: validationLoss });
      const isWatched = caption !== undefined && isDue(options.captionSteps);
      const checkpoint = isWatched || isDue(options.checkpointSteps) ? await save() : undefined;
      const captions = isWatched ? await caption() : undefined;
      if (captions) await run.log(done, named(captions));
      yield { ...report, validationLoss, checkpoint, captions };
    }
  } finally {
    // Whatever ended the run, the state is that of the last step that was whole.
    if (done > saved) await save();
  }
}

async function nextStep(source: BatchSource, count: number) {
  const batches: TrainingBatches[] = [];
  const keys: (readonly string[])[] = [];
  let tokens = 0;
  let position: JsonValue = {};
  for (let i = 0; i < count; i++) {
    const next = await source.next();
    batches.push(next.batches);
    keys.push(next.keys);
    tokens += next.tokens;
    position = next.positions as JsonValue;
  }
  return { batches, keys, tokens, position };
}

/** The values of a step in the log. */
const logged = ({ loss, gradientNorm, learningRate, ...report }: StepReport) => ({
  ...(loss.laion !== undefined && { loss_laion: loss.laion }),
  ...(loss.mmc4 !== undefined && { loss_mmc4: loss.mmc4 }),
  ...{ gradient_norm: gradientNorm, lr: learningRate, step_time: report.seconds },
  samples_per_second: report.samples / report.seconds,
  tokens_per_second: report.tokens / report.seconds,
  data_time_share: report.waitingShare,
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

/** A loss that is not a number, with the samples that it is of. */
function withKeys(error: unknown, keys: readonly (readonly string[])[], run: string): unknown {
  if (!(error instanceof OpenFlamingoError) || error.code !== "loss-not-finite") return error;
  const samples = keys[error.data.batch as number] ?? [];
  const shown = samples.slice(0, 5).join(", ");
  const more = samples.length > 5 ? ` and ${samples.length - 5} more` : "";
  return new OpenFlamingoError("loss-not-finite", `${error.message}. Its samples: ${shown}${more}`, {
    hint: `${run} has a checkpoint of the step before. ${error.hint}`,
    cause: error,
    data: { ...error.data, samples },
  });
}
