/**
 * The compatible API's entrance.
 *
 * Reference: open_flamingo/src/factory.py, `create_model_and_transforms`.
 */
import { withClosing } from "../../base/dispose.js";
import { count, optional, text } from "../../base/fields.js";
import { inside } from "../../checkpoints/modelPath.js";
import type { ImageSource } from "../../images/index.js";
import { type VisionConfiguration, visionConfiguration } from "../../models/configuration.js";
import { generationConfiguration } from "../../models/generationConfiguration.js";
import { vitL14Configuration } from "../../models/vitL14.js";
import type { FlamingoTokenizer } from "../../text/flamingoTokens.js";
import type { ModelCheckpoints } from "../../weights/loadWeights.js";
import { readParts } from "../configs.js";
import { checkpointOpener, imageReader } from "../load.js";
import { type LoadOptions, loadReaders } from "../loadOptions.js";
import { openOnRuntime } from "../openOnRuntime.js";
import type { Platform } from "../platform.js";
import type { ImagePart } from "../prompt.js";
import { readJson, readOptionalJson } from "../readJson.js";
import { readOptions } from "../readOptions.js";
import type { LanguageDefaults } from "./generationArguments.js";
import { type CompatibleModel, createCompatibleModel } from "./model.js";
import type { TensorData } from "./tensorData.js";
import { type CompatibleTokenizer, compatibleTokenizer } from "./tokenizer.js";

export interface CreateOptions extends LoadOptions {
  /**
   * A folder with an `open_clip_config.json`, or the path of such a file; or `ViT-L-14`, the released models' tower.
   */
  readonly clipVisionEncoderPath: string;
  /** The path of its weights; or `openai` for `ViT-L-14`, which are fetched where they are not at hand. */
  readonly clipVisionEncoderPretrained: string;
  /** The folder of the language model: `config.json` and weights; or its name on the hub, such as `anas-awadalla/mpt-7b`. */
  readonly langEncoderPath: string;
  /** The folder of its `tokenizer.json`; or its name on the hub. */
  readonly tokenizerPath: string;
  /** A gated block stands before every block of this interval; 1. */
  readonly crossAttnEveryNLayers?: number | undefined;
}

export interface ModelAndTransforms {
  readonly model: CompatibleModel;
  /**
   * An image as the vision encoder takes it, (3, S, S), by CLIP's transform for evaluation.
   *
   * @throws OpenFlamingoError `image-missing`, `image-unreadable`, `image-unsupported`, `network`
   */
  readonly imageProcessor: (image: ImageSource | ImagePart) => Promise<TensorData>;
  readonly tokenizer: CompatibleTokenizer;
}

export const createReaders = {
  ...loadReaders,
  clipVisionEncoderPath: text,
  clipVisionEncoderPretrained: text,
  langEncoderPath: text,
  tokenizerPath: text,
  crossAttnEveryNLayers: optional(count(1), 1),
};

export async function createOnPlatform(
  platform: Platform,
  options: CreateOptions,
): Promise<ModelAndTransforms> {
  const {
    clipVisionEncoderPath,
    clipVisionEncoderPretrained,
    langEncoderPath,
    tokenizerPath,
    crossAttnEveryNLayers,
    ...read
  } = readOptions("createModelAndTransforms", createReaders, options);
  const load: LoadOptions = read;
  const { signal } = load;
  const parts = await readParts(platform, {
    visual: await visionEncoder(platform, clipVisionEncoderPath, signal),
    languageConfig: inside({ path: langEncoderPath }, "config.json"),
    tokenizer: inside({ path: tokenizerPath }, "tokenizer.json"),
    crossAttentionEvery: crossAttnEveryNLayers,
    signal,
  });
  // Read in `loadStateDict`; that they are there and of a kind that is read is known before.
  for (const path of [clipVisionEncoderPretrained, langEncoderPath]) {
    await (await checkpointOpener(platform, load)({ path })).close();
  }
  const { config, tokenizer, preprocessing } = parts;
  const readImage = imageReader(platform, parts, load);
  const model = createCompatibleModel({
    config,
    cacheFormat: load.cache,
    tokenizer,
    defaults: await languageDefaults(platform, langEncoderPath, tokenizer, signal),
    openCheckpoint: (path, signal) =>
      checkpointOpener(platform, { ...load, signal: signal ?? load.signal })({ path }),
    async open({ flamingo, loaded, programs }, signal) {
      const stopped = { ...load, signal: signal ?? load.signal };
      const openModel = (checkpoints: ModelCheckpoints) =>
        openOnRuntime(
          platform,
          { ...parts, name: flamingo.name, format: "fp32", others: [], checkpoints, programs },
          stopped,
        );
      if (loaded) return openModel({ loaded, flamingo });
      const open = checkpointOpener(platform, stopped);
      return withClosing(async (closing) => {
        const vision = closing(await open({ path: clipVisionEncoderPretrained }));
        const language = closing(await open({ path: langEncoderPath }));
        return openModel({ vision, language, flamingo });
      });
    },
  });
  return {
    model,
    async imageProcessor(image) {
      const source = typeof image === "object" && "image" in image ? image.image : image;
      const { size } = preprocessing;
      return { shape: [3, size, size], data: await readImage(source, undefined) };
    },
    tokenizer: compatibleTokenizer(tokenizer),
  };
}

async function visionEncoder(
  platform: Platform,
  path: string,
  signal: AbortSignal | undefined,
): Promise<VisionConfiguration> {
  if (path === "ViT-L-14") return visionConfiguration(path, vitL14Configuration);
  const file = path.endsWith(".json") ? { path } : inside({ path }, "open_clip_config.json");
  return visionConfiguration(file.path, await readJson(platform, file, signal));
}

/** What the language model's files say of generation. */
async function languageDefaults(
  platform: Platform,
  folder: string,
  { size, special }: FlamingoTokenizer,
  signal: AbortSignal | undefined,
): Promise<LanguageDefaults> {
  const read = async (name: string) => {
    const file = inside({ path: folder }, name);
    return { file: file.path, json: await readOptionalJson(platform, file, signal) };
  };
  const files = [await read("config.json"), await read("generation_config.json")] as const;
  return { ...generationConfiguration(...files, size), endOfChunk: special.endOfChunk };
}
