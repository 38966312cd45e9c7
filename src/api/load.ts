/** Loading a model: from a folder and a platform to a `Flamingo`. */
import { withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import { parseJson } from "../base/json.js";
import { quoted } from "../base/quoted.js";
import type { Checkpoint } from "../checkpoints/checkpoint.js";
import { defaultLimits, type OpenOptions, type ReaderLimits } from "../checkpoints/limits.js";
import type { ModelDescription } from "../checkpoints/modelFolder.js";
import {
  type ImageLimits,
  type ImageSource,
  type Preprocessing,
  preprocess,
  type Raster,
  toSquare,
} from "../images/index.js";
import { languageModel, type VisionConfiguration, visionConfiguration } from "../models/configuration.js";
import { releasedCrossAttention } from "../models/crossAttention.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { releasedPerceiver } from "../models/perceiver.js";
import { createFeatures } from "../runner/features.js";
import { type ModelRunner, openModelRunner } from "../runner/modelRunner.js";
import type { ModelCheckpoints } from "../runner/weights.js";
import type { Runtime } from "../runtime/runtime.js";
import { createFlamingoTokenizer, type FlamingoTokenizer } from "../text/flamingoTokens.js";
import { createFlamingo, type FlamingoParts } from "./createFlamingo.js";
import { createClipTokenizer } from "./embed.js";
import type { Flamingo } from "./flamingo.js";
import type { LoadOptions } from "./loadOptions.js";

/** What loading needs of the system that it runs on. */
export interface Platform {
  /** The bytes of a file of the model, as text. @throws OpenFlamingoError `model-missing` */
  readText(path: string): Promise<string>;
  /** The same for a file that need not be there. */
  readOptionalText(path: string): Promise<string | undefined>;
  /** A file with this name in the folder of another. */
  beside(path: string, name: string): string;
  /** A file with this name in a folder. */
  inside(folder: string, name: string): string;
  openCheckpoint(path: string, options: OpenOptions): Promise<Checkpoint>;
  openRuntime(name: string | undefined, onNotice: LoadOptions["onNotice"]): Promise<Runtime>;
  /** What notices go to unless the caller takes them. */
  warn(text: string): void;
  decodeImage(
    source: ImageSource,
    options: ImageLimits & Pick<LoadOptions, "allowPrivateAddresses" | "signal">,
  ): Promise<Raster>;
}

/**
 * Opens the model that a description names, its paths being such as the platform reads.
 *
 * @throws OpenFlamingoError `model-…`, `checkpoint-…`, `tokenizer-invalid`, `weights-not-finite`, `backend`, `memory`
 */
export async function loadModel(
  platform: Platform,
  description: ModelDescription,
  options: LoadOptions,
): Promise<Flamingo> {
  options.signal?.throwIfAborted();
  const { vision, language, flamingo } = description;
  const trained = description.words === "trained";
  const notify = options.onNotice ?? platform.warn;
  if (!trained) notify(`${quoted(description.name)} is untrained: its words mean nothing`);
  const visual = visionConfiguration(vision.config, await readJson(platform, vision.config));
  const parts = await readParts(platform, {
    visual,
    languageConfig: language.config,
    tokenizer: language.tokenizer,
    crossAttentionEvery: flamingo.crossAttentionEvery,
  });
  const open = checkpointOpener(platform, options);
  const model = await withClosing(async (closing) => {
    const checkpoints = {
      vision: closing(await open(vision.weights)),
      language: closing(await open(language.weights)),
      flamingo: closing(await open(flamingo.checkpoint)),
    };
    return openOnRuntime(platform, parts, checkpoints, options);
  });
  const openVision = () => checkpointOpener(platform, { limits: options.limits })(vision.weights);
  return createFlamingo({
    ...parts,
    ...model,
    features: createFeatures(model.runner, visual, openVision, { threads: options.threads }),
    async clipTokenizer() {
      const text = visual.text();
      const path = platform.beside(vision.config, "tokenizer.json");
      return createClipTokenizer(path, await readOptionalJson(platform, path), text);
    },
    name: description.name,
    trained,
    prompt: description.prompt,
    generation: description.generation ?? {},
    readImage: imageReader(platform, parts, options),
  });
}

/** What opens the checkpoints of a model. */
export const checkpointOpener =
  (
    platform: Pick<Platform, "openCheckpoint">,
    { limits, signal }: Pick<LoadOptions, "limits" | "signal">,
  ): ((path: string) => Promise<Checkpoint>) =>
  (path) =>
    platform.openCheckpoint(path, { signal, limits: withDefaults(limits?.checkpoints) });

const withDefaults = (limits: NonNullable<LoadOptions["limits"]>["checkpoints"] = {}): ReaderLimits => {
  const entries = Object.entries(defaultLimits) as [keyof ReaderLimits, number][];
  return Object.fromEntries(entries.map(([name, value]) => [name, limits[name] ?? value])) as never;
};

/** What reads images for a model: see `FlamingoParts`. */
export const imageReader =
  (
    platform: Pick<Platform, "decodeImage">,
    { preprocessing }: Pick<ModelParts, "preprocessing">,
    { limits, allowPrivateAddresses }: Pick<LoadOptions, "limits" | "allowPrivateAddresses">,
  ): FlamingoParts["readImage"] =>
  async (source, signal) => {
    const raster = await platform.decodeImage(source, { ...limits?.images, allowPrivateAddresses, signal });
    return preprocess(await toSquare(raster, preprocessing.size, { signal }), preprocessing);
  };

/** What a model is, without its weights. */
export interface ModelParts {
  readonly config: FlamingoConfig;
  readonly tokenizer: FlamingoTokenizer;
  readonly preprocessing: Preprocessing;
}

/**
 * Reads what a model is from its configuration files.
 *
 * @throws OpenFlamingoError `model-…`, `tokenizer-invalid`
 */
export async function readParts(
  platform: Platform,
  {
    visual,
    languageConfig,
    tokenizer: tokenizerFile,
    crossAttentionEvery,
  }: {
    readonly visual: VisionConfiguration;
    readonly languageConfig: string;
    readonly tokenizer: string;
    readonly crossAttentionEvery: number;
  },
): Promise<ModelParts> {
  const tokenizer = createFlamingoTokenizer(await readJson(platform, tokenizerFile), {
    specialTokensMap: await readOptionalJson(
      platform,
      platform.beside(tokenizerFile, "special_tokens_map.json"),
    ),
    tokenizerConfig: await readOptionalJson(
      platform,
      platform.beside(tokenizerFile, "tokenizer_config.json"),
    ),
  });
  const language = languageModel(languageConfig, await readJson(platform, languageConfig), tokenizer.size);
  return {
    config: {
      vision: visual.vit,
      perceiver: releasedPerceiver,
      crossAttention: releasedCrossAttention,
      crossAttentionEvery,
      language,
    },
    tokenizer,
    preprocessing: { size: visual.vit.imageSize, mean: visual.mean, std: visual.std },
  };
}

/** A model at work, and how to end it. */
export interface OpenModel {
  readonly runner: ModelRunner;
  readonly backend: string;
  close(): Promise<void>;
}

/** @throws OpenFlamingoError `checkpoint-…`, `weights-not-finite`, `backend`, `memory` */
export async function openOnRuntime(
  platform: Platform,
  { config, tokenizer }: ModelParts,
  checkpoints: ModelCheckpoints,
  { threads, engine, backend = engine, signal, onProgress, onNotice = platform.warn }: LoadOptions,
): Promise<OpenModel> {
  const runtime = await platform.openRuntime(backend, onNotice);
  try {
    const runner = await openModelRunner({
      runtime,
      config,
      checkpoints,
      imageToken: tokenizer.special.image,
      threads,
      signal,
      onProgress,
    });
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

export const readJson = async (platform: Platform, path: string): Promise<unknown> =>
  parse(path, await platform.readText(path));

export async function readOptionalJson(platform: Platform, path: string): Promise<unknown> {
  const text = await platform.readOptionalText(path);
  return text === undefined ? undefined : parse(path, text);
}

const parse = (path: string, text: string): unknown =>
  parseJson(
    text,
    (what, cause) =>
      new OpenFlamingoError("model-invalid", `${path}: ${what}`, { hint: "Is the file whole?", cause }),
  );
