/** The reference implementation's training of the tiny models: goldens/README.md, `golden/training`. */

import type { TrainingBatch } from "../../src/learn/batch.js";
import { createStep, type StepOptions, type TrainingStep } from "../../src/learn/step.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import type { CheckpointFiles } from "../../src/weights/loadWeights.js";
import type { PlainTensor } from "../tensors.js";
import type { GoldenModel } from "../tinyModel.js";

interface Settings {
  readonly learning_rate: number;
  readonly weight_decay: number;
  readonly lr_scheduler: "constant" | "linear" | "cosine";
  readonly warmup_steps: number;
  readonly total_steps: number;
  readonly gradient_accumulation_steps: number;
  readonly loss_multiplier_laion: number;
  readonly loss_multiplier_mmc4: number;
}

export interface Run {
  readonly name: string;
  readonly settings: Settings;
  readonly batches: number;
  readonly losses_laion: readonly number[];
  readonly losses_mmc4: readonly number[];
  readonly grad_norm_before_clip: readonly number[];
  readonly lr_of_step: readonly (readonly [number, number])[];
  readonly updates_after_batch: readonly number[];
}

export interface Training {
  readonly trainable_parameters: readonly string[];
  readonly parameters_with_weight_decay: readonly string[];
  readonly gradient_norm_before_clip: number;
  readonly embedding: { readonly name: string; readonly rows_with_gradient_after_mask: readonly number[] };
  readonly losses_of_the_four_batches_at_the_start: { readonly laion: number[]; readonly mmc4: number[] };
  readonly grad_norms_of_the_four_batches_at_the_start: readonly number[];
  readonly gradient_stats: Readonly<
    Record<string, { readonly norm: number; readonly shape: readonly number[] }>
  >;
  readonly amp_bf16: {
    readonly loss_laion: number;
    readonly loss_mmc4: number;
    readonly gradient_norm: number;
    readonly smallest_cosine_of_a_parameters_gradient_with_fp32: number;
  };
  readonly schedules: Readonly<
    Record<
      string,
      {
        readonly learning_rate: number;
        readonly warmup_steps: number;
        readonly total_steps: number;
        readonly lr_of_steps_0_to_21: readonly number[];
      }
    >
  >;
  readonly pictures_of_batches: readonly {
    readonly laion: readonly string[];
    readonly mmc4: readonly (readonly string[])[];
    readonly mmc4_padded_to: number;
  }[];
  readonly runs: readonly Run[];
}

export const trainingOf = (tinyModel: GoldenModel): Training =>
  tinyModel.goldenJson<Training>("training/training.json");

/** The batches that the reference implementation was given. */
export async function goldenBatches(
  tinyModel: GoldenModel,
): Promise<readonly { readonly laion: TrainingBatch; readonly mmc4: TrainingBatch }[]> {
  const tensors = await tinyModel.goldenTensors("training/batches.safetensors");
  const inputs = await tinyModel.goldenTensors("inputs.safetensors");
  const image = 3 * tinyModel.imageSize ** 2;
  const int32 = ({ data }: PlainTensor) => Int32Array.from(data);
  return trainingOf(tinyModel).pictures_of_batches.map((names, i) => {
    const batch = (kind: "laion" | "mmc4", rows: readonly (readonly string[])[], imagesPerRow: number) => {
      const of = (name: string) => tensors.get(`batch${i}.${kind}.${name}`)!;
      const pixels = new Float32Array(rows.flat().length * image);
      rows.flat().forEach((name, at) => {
        pixels.set(inputs.get(`pixels.${name}`)!.data, at * image);
      });
      return {
        ids: int32(of("input_ids")),
        shape: of("input_ids").shape as [number, number],
        attentionMask: int32(of("attention_mask")),
        labels: int32(of("labels")),
        imagesOfRows: rows.map(({ length }) => length),
        images: { pixels },
        imagesPerRow,
      } satisfies TrainingBatch;
    };
    return {
      laion: batch(
        "laion",
        names.laion.map((name) => [name]),
        1,
      ),
      mmc4: batch("mmc4", names.mmc4, names.mmc4_padded_to),
    };
  });
}

/** A tiny model made ready to be trained, with the embedding's rows that the reference implementation trains. */
export async function openStep(
  tinyModel: GoldenModel,
  runtime: Runtime,
  options: Partial<StepOptions> = {},
): Promise<TrainingStep> {
  const { config, checkpoints, close } = await tinyModel.model();
  try {
    return await createStep({
      runtime,
      config,
      checkpoints: checkpoints as CheckpointFiles,
      imageToken: tinyModel.ids.image,
      embeddingRows: trainingOf(tinyModel).embedding.rows_with_gradient_after_mask,
      ...options,
    });
  } finally {
    await close();
  }
}

/** What a file of samples keeps of a tensor: `sampling` in training.json. */
export const sampled = (values: Float32Array, count = 1024): Float32Array =>
  values.length <= count
    ? values
    : Float32Array.from({ length: count }, (_, i) => values[Math.floor((i * values.length) / count)]!);
