/** A model's weights on a runtime: what will not fit in memory is rejected before any of them is read. */
import { givenBytes } from "../machine/forecast.js";
import { type Opening, requireMemory } from "../machine/requireMemory.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import {
  type ModelRunner,
  openModelRunner,
  programsOf,
  type RunnerOptions,
  type WeightSource,
} from "../runner/modelRunner.js";
import type { FlamingoTokenizer } from "../text/flamingoTokens.js";
import { findWeights } from "../weights/loadWeights.js";
import type { LoadOptions } from "./loadOptions.js";
import type { Platform } from "./platform.js";

/** A model at work, and how to end it. */
export interface OpenModel {
  readonly runner: ModelRunner;
  readonly backend: string;
  close(): Promise<void>;
}

/** A model that is to be opened: what it is, its weights or where they are, and what else could be done with it. */
type ModelToOpen = WeightSource &
  Pick<Opening, "name" | "format" | "others"> & {
    readonly config: FlamingoConfig;
    readonly tokenizer: Pick<FlamingoTokenizer, "special">;
    readonly programs?: RunnerOptions["programs"];
    readonly isHalf?: RunnerOptions["isHalf"];
    readonly pool?: RunnerOptions["pool"];
  };

/** @throws OpenFlamingoError `checkpoint-…`, `weights-not-finite`, `backend`, `memory` */
export async function openOnRuntime(
  platform: Platform,
  { tokenizer, name, format, others, programs, ...model }: ModelToOpen,
  options: LoadOptions,
): Promise<OpenModel> {
  const { threads, engine, backend = engine, signal, onProgress, onNotice = platform.warn } = options;
  const { cache: cacheFormat } = options;
  const { config, checkpoints } = model;
  const compiled = programs ?? programsOf(config, undefined, cacheFormat);
  const isChecked = options.memoryCheck !== "off";
  const runtime = await platform.openRuntime(backend, onNotice);
  try {
    // What is loaded already has room.
    if (isChecked && !checkpoints?.loaded) {
      const weights = compiled.map((program) => program.weights);
      // A checkpoint of another model is reported as that.
      if (checkpoints) findWeights(weights.flat(), checkpoints, config.language);
      const weightsIn = checkpoints ? "memory" : "files";
      const isCopying = !runtime.sharesWeights;
      const opening = { name, config, weights, format, weightsIn, isCopying, cacheFormat, others } as const;
      requireMemory(platform.memory(), opening);
    }
    const imageToken = tokenizer.special.image;
    const bytes = checkpoints ? 0 : givenBytes(compiled.map((program) => program.weights));
    if (bytes > 0) onProgress?.(0, bytes, "opening");
    let held = 0; // in the model's own buffers
    const runner = await openModelRunner({
      ...{ ...model, programs: compiled, runtime, imageToken, threads, cacheFormat, signal },
      onProgress: (done, total) => onProgress?.(done, total, "loading"),
      ...(isChecked && { freeMemory: () => freeBeside(platform, held) }),
    });
    if (bytes > 0) onProgress?.(bytes, bytes, "opening");
    held = platform.memory().buffers;
    const close = async () => {
      await runner.close();
      await runtime.close();
    };
    return { runner, backend: `${runtime.name} ${runtime.version}`, close };
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

/** What is free, and what earlier calls have left to be collected: that is, when memory is wanted. */
function freeBeside(platform: Platform, held: number): number {
  const { free, buffers } = platform.memory();
  return free + Math.max(0, buffers - held);
}
