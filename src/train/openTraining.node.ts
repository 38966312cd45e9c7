/** Opens what a run trains: the model and its step. */
import { type Configs, readConfigs } from "../api/configs.js";
import { checkpointOpener } from "../api/load.js";
import { node } from "../api/platform.node.js";
import { withClosing } from "../base/dispose.js";
import { type OpenableModel, pathsOf } from "../checkpoints/openableModel.js";
import type { DataForModel } from "../data/trainingData.node.js";
import { initialConnectors } from "../learn/initialConnectors.js";
import { createStep, type StepOptions, type TrainingStep } from "../learn/step.js";
import type { VitConfig } from "../models/vit.js";
import type { TrainingOptions } from "./options/table.js";
import { requireTrainingMemory } from "./requireMemory.js";
import { programSettings } from "./stepSettings.js";

export interface OpenTrainingOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onNotice: (text: string) => void;
  readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
}

export interface ModelToTrain extends DataForModel {
  readonly step: TrainingStep;
  readonly vision: VitConfig;
  close(): Promise<void>;
}

/** Said once a run. */
export const notFaster =
  "amp_bf16: this machine's backend has no bfloat16 arithmetic. What products take is rounded, so that the numbers are those of mixed precision, but it is not faster than fp32, and takes no less memory.";

/**
 * What a model is, read before anything large is, and before a folder is made.
 *
 * @throws OpenFlamingoError `model-…`; `memory` where training it would not fit
 */
export async function readModelToTrain(
  description: OpenableModel,
  options: TrainingOptions,
  signal: AbortSignal | undefined,
): Promise<Configs> {
  const configs = await readConfigs(node, description, signal);
  if (options.memoryCheck) requireTrainingMemory(node.memory(), configs.config, options);
  return configs;
}

/**
 * @param settings of the optimizer
 * @throws OpenFlamingoError what opening a model throws; `usage`, `memory`
 */
export async function openModelToTrain(
  description: OpenableModel,
  { config, tokenizer, preprocessing }: Configs,
  options: TrainingOptions,
  settings: Partial<StepOptions>,
  { signal, onNotice, onProgress }: OpenTrainingOptions,
): Promise<ModelToTrain> {
  const at = pathsOf(description);
  const open = checkpointOpener(node, { signal });
  const { image, endOfChunk } = tokenizer.special;
  const rows = [image, endOfChunk].sort((a, b) => a - b);
  const runtime = await node.openRuntime(undefined, onNotice);
  // No backend that there is has products in bfloat16.
  if (options.precision === "amp_bf16") onNotice(notFaster);
  try {
    const step = await withClosing(async (closing) =>
      createStep({
        ...{ pool: options.weights === "fp32" ? undefined : closing(node.openKernels()) },
        ...{ runtime, config, imageToken: image, signal, threads: options.threads },
        checkpoints: {
          vision: closing(await open(at("vision", description.vision.weights))),
          language: closing(await open(at("language", description.language.weights))),
          flamingo: closing(
            options.fromScratch
              ? initialConnectors(config, options.seed, { gate: options.gateStart })
              : await open(at("flamingo", description.flamingo.checkpoint)),
          ),
        },
        embeddingRows: options.freezeLmEmbeddings ? undefined : rows,
        ...programSettings(options),
        onProgress: (done, total) => onProgress?.(done, total, "loading the model"),
        ...settings,
      }),
    );
    return {
      ...{ step, tokenizer, preprocessing, vision: config.vision },
      async close() {
        await step.close();
        await runtime.close();
      },
    };
  } catch (error) {
    await runtime.close();
    throw error;
  }
}
