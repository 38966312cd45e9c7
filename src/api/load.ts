/** Loading a model: from a folder and a platform to a `Flamingo`. */
import { withClosing } from "../base/dispose.js";
import { quoted } from "../base/quoted.js";
import type { Checkpoint } from "../checkpoints/checkpoint.js";
import { defaultLimits, type ReaderLimits } from "../checkpoints/limits.js";
import { beside, type ModelPath } from "../checkpoints/modelPath.js";
import { type OpenableModel, type OpenablePrepared, pathsOf } from "../checkpoints/openableModel.js";
import { preprocess, toSquare } from "../images/index.js";
import { lighterFormats } from "../machine/requireMemory.js";
import { createFeatures, type TowerWeights } from "../runner/features.js";
import { programKey, programsOf } from "../runner/modelRunner.js";
import { loadTower } from "../weights/clipTowers.js";
import { formatsOf, halvesOf } from "../weights/weightFormats.js";
import { type Configs, type ModelParts, readConfigs } from "./configs.js";
import { createFlamingo, type FlamingoParts } from "./createFlamingo.js";
import { createClipTokenizer } from "./embed.js";
import type { Flamingo } from "./flamingo.js";
import type { LoadOptions } from "./loadOptions.js";
import { type OpenModel, openOnRuntime } from "./openOnRuntime.js";
import { openPreparedModel } from "./openPreparedModel.js";
import type { Platform } from "./platform.js";
import { readOptionalJson } from "./readJson.js";

/**
 * Opens the model that a description names, its paths being such as the platform reads, and in its folder.
 *
 * @throws OpenFlamingoError `model-…`, `checkpoint-…`, `tokenizer-invalid`, `weights-not-finite`, `backend`, `memory`
 */
export const loadModel = async (
  platform: Platform,
  description: OpenableModel | OpenablePrepared,
  options: LoadOptions,
): Promise<Flamingo> => createFlamingo(await openModel(platform, description, options));

/** The same, in parts. */
export async function openModel(
  platform: Platform,
  description: OpenableModel | OpenablePrepared,
  options: LoadOptions,
): Promise<FlamingoParts> {
  options.signal?.throwIfAborted();
  const { name, words, prompt, generation = {} } = description;
  const trained = words === "trained";
  const notify = options.onNotice ?? platform.warn;
  if (!trained) notify(`${quoted(name)} is untrained: its words mean nothing`);
  const configs = await readConfigs(platform, description, options.signal);
  const { visual, ...parts } = configs;
  const opened =
    "prepared" in description
      ? await openPreparedModel(platform, description, configs, options)
      : await openCheckpoints(platform, description, configs, options);
  return {
    ...parts,
    ...opened,
    async clipTokenizer() {
      const text = visual.text();
      const config = pathsOf(description)("vision", description.vision.config);
      const file = description.clipTokenizer ?? beside(config, "tokenizer.json");
      return createClipTokenizer(file.path, await readOptionalJson(platform, file, undefined), text);
    },
    name,
    trained,
    prompt,
    generation,
    readImage: imageReader(platform, parts, options),
  };
}

/** A model whose weights are in checkpoints, brought into the format that is asked for. */
async function openCheckpoints(
  platform: Platform,
  description: OpenableModel,
  { visual, ...parts }: Configs,
  options: LoadOptions,
): Promise<OpenModel & Pick<FlamingoParts, "features">> {
  const { vision, language, flamingo, name, folder } = description;
  const { weights: format = "fp32" } = options;
  const at = pathsOf(description);
  const open = checkpointOpener(platform, options);
  const formatOf = formatsOf(format);
  const isHalf = halvesOf({ weights: format, keep: new Map() });
  const model = await withClosing(async (closing) => {
    const checkpoints = {
      vision: closing(await open(at("vision", vision.weights))),
      language: closing(await open(at("language", language.weights))),
      flamingo: closing(await open(at("flamingo", flamingo.checkpoint))),
    };
    const programs =
      (await platform.compiledPrograms(programKey(parts.config, format, options.cache))) ??
      programsOf(parts.config, formatOf, options.cache);
    const others = lighterFormats(format).map((format) => ({
      ...{ format, weightsIn: "files" as const },
      how: `openflamingo prepare ${folder} --weights ${format}`,
    }));
    const pool = formatOf && closing(platform.openKernels());
    return openOnRuntime(
      platform,
      { ...parts, name, format, others, checkpoints, programs, isHalf, pool },
      options,
    );
  });
  const weightsOf: TowerWeights = (tower, uses) =>
    withClosing(async (closing) => {
      const opener = checkpointOpener(platform, { limits: options.limits });
      const checkpoint = closing(await opener(at("vision", vision.weights)));
      return loadTower(tower, uses, checkpoint, model.runner.weights, { isHalf });
    });
  const { threads } = options;
  const features = createFeatures(model.runner.runtime, visual, weightsOf, { formatOf, threads });
  return { ...model, features };
}

/** What opens the checkpoints of a model. */
export const checkpointOpener =
  (
    platform: Pick<Platform, "openCheckpoint">,
    { limits, signal }: Pick<LoadOptions, "limits" | "signal">,
  ): ((at: ModelPath) => Promise<Checkpoint>) =>
  (at) =>
    platform.openCheckpoint(at, { signal, limits: withDefaults(limits?.checkpoints) });

const withDefaults = (limits: NonNullable<LoadOptions["limits"]>["checkpoints"] = {}): ReaderLimits => {
  const entries = Object.entries(defaultLimits) as [keyof ReaderLimits, number][];
  return Object.fromEntries(entries.map(([name, value]) => [name, limits[name] ?? value])) as never;
};

/** What reads images for a model: see `FlamingoParts`. */
export const imageReader =
  (
    platform: Pick<Platform, "decodeImage">,
    { preprocessing }: Pick<ModelParts, "preprocessing">,
    { limits, ...options }: Pick<LoadOptions, "limits" | "orientation" | "allowPrivateAddresses">,
  ): FlamingoParts["readImage"] =>
  async (source, signal) => {
    const raster = await platform.decodeImage(source, {
      ...limits?.images,
      orientation: options.orientation,
      allowPrivateAddresses: options.allowPrivateAddresses,
      signal,
    });
    return preprocess(await toSquare(raster, preprocessing.size, { signal }), preprocessing);
  };
