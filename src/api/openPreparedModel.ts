/** Opening a model whose weights were prepared: they are mapped where they lie; those in float16 are read. */
import { withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import type { OpenablePrepared } from "../checkpoints/openableModel.js";
import { lighterFormats } from "../machine/requireMemory.js";
import { createFeatures, type TowerWeights } from "../runner/features.js";
import { programsOf } from "../runner/modelRunner.js";
import { liveName } from "../weights/clipNames.js";
import { readTower } from "../weights/clipTowers.js";
import { findPreparedWeights } from "../weights/loadWeights.js";
import { preparedWeights, requireTower } from "../weights/preparedWeights.js";
import { formatsOf, halvesOf } from "../weights/weightFormats.js";
import type { Configs } from "./configs.js";
import type { FlamingoParts } from "./createFlamingo.js";
import type { LoadOptions } from "./loadOptions.js";
import { type OpenModel, openOnRuntime } from "./openOnRuntime.js";
import type { Platform } from "./platform.js";

/** @throws OpenFlamingoError `model-invalid`, `backend`, `memory`; `usage` for another format than it was prepared in */
export async function openPreparedModel(
  platform: Platform,
  { folder, name, prepared }: OpenablePrepared,
  { visual, ...parts }: Configs,
  options: LoadOptions,
): Promise<OpenModel & Pick<FlamingoParts, "features">> {
  const { weights: format, block, keep = new Map(), sha256 } = prepared;
  if (options.weights !== undefined && options.weights !== format) {
    throw new OpenFlamingoError("usage", `${folder}: was prepared as ${format}, not as ${options.weights}`, {
      hint: "Leave weights out, or prepare the model again.",
    });
  }
  const index = await platform.openPrepared(folder, sha256, options);
  const formatOf = formatsOf(format, { block, keep });
  const isHalf = halvesOf({ weights: format, keep });
  const programs = programsOf(parts.config, formatOf, options.cache);
  const uses = programs.flatMap((program) => program.weights);
  const weights = preparedWeights(uses, index, folder, { isHalf });
  const others = lighterFormats(format).map((format) => ({
    ...{ format, weightsIn: "files" as const },
    how: `preparing it as ${format}`,
  }));
  const opening = { ...parts, name, format, others, programs };
  const model = await withClosing(async (closing) => {
    if (!isHalf) return openOnRuntime(platform, { ...opening, weights }, options);
    const prepared = closing(await platform.openPreparedWeights(folder, index));
    return openOnRuntime(platform, { ...opening, checkpoints: { prepared } }, options);
  });
  const weightsOf: TowerWeights = async (tower, uses) => {
    requireTower(tower, uses, index, folder);
    const weights = preparedWeights(uses, index, folder, { nameOf: liveName, isHalf });
    if (!isHalf) return weights;
    return withClosing(async (closing) => {
      const prepared = closing(await platform.openPreparedWeights(folder, index));
      return readTower(uses, findPreparedWeights(uses, prepared, liveName), model.runner.weights);
    });
  };
  const { threads } = options;
  const features = createFeatures(model.runner.runtime, visual, weightsOf, { formatOf, threads });
  return { ...model, features };
}
