/** What of the training's options is the step's and its programs'. */
import { OpenFlamingoError } from "../base/errors.js";
import { type DataKind, dataKinds } from "../learn/batch.js";
import type { LearnOptions } from "../learn/learnGraph.js";
import type { Published } from "../learn/published.js";
import { type Schedule, totalSteps } from "../learn/schedule.js";
import type { StepOptions } from "../learn/step.js";
import { formatsOf } from "../weights/weightFormats.js";
import type { Epochs } from "./epochs.js";
import type { TrainingOptions } from "./options/table.js";

/** Of the programs. */
export const programSettings = ({
  precision,
  gradientCheckpointing,
  weights,
}: Pick<TrainingOptions, "precision" | "gradientCheckpointing" | "weights">): LearnOptions => ({
  ...{ precision, recompute: gradientCheckpointing, formatOf: formatsOf(weights, { exact: true }) },
});

/** Of optimizer and schedule. */
export function stepSettings(
  options: TrainingOptions,
  { batches }: Pick<Epochs, "batches">,
): Partial<StepOptions> & { readonly schedule: Schedule; readonly published: Published } {
  const published: Published = options;
  const accumulation = options.gradientAccumulationSteps;
  return {
    ...{ published, accumulation, learningRate: options.learningRate, weightDecay: options.weightDecay },
    schedule: {
      kind: options.lrScheduler,
      warmupSteps: options.warmupSteps,
      totalSteps: totalSteps({ batches, epochs: options.numEpochs, accumulation }, published),
    },
    clipNorm: options.maxGradNorm,
    lossWeights: { laion: options.lossMultiplierLaion, mmc4: options.lossMultiplierMmc4 },
  };
}

/** The kinds of data that are trained on. @throws OpenFlamingoError `usage` where there are none */
export function kindsOf({ laionShards, mmc4Shards }: TrainingOptions): readonly DataKind[] {
  const shards = { laion: laionShards, mmc4: mmc4Shards };
  const kinds = dataKinds.filter((kind) => shards[kind].length > 0);
  if (kinds.length > 0) return kinds;
  throw new OpenFlamingoError("usage", "training: there is nothing to train on", {
    hint: "Name a folder of images and their captions, or shards (laionShards, mmc4Shards).",
    data: { options: ["laionShards", "mmc4Shards"] },
  });
}
