/** Loading a model: from a folder and a platform to a `Flamingo`. */
import { withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import { parseJson } from "../base/json.js";
import { quoted } from "../base/quoted.js";
import type { Checkpoint } from "../checkpoints/checkpoint.js";
import { defaultLimits, type OpenOptions, type ReaderLimits } from "../checkpoints/limits.js";
import type { ModelDescription } from "../checkpoints/modelFolder.js";
import { beside, type ModelPath } from "../checkpoints/modelPath.js";
import {
  type ImageOptions,
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
import { type ModelRunner, openModelRunner, type RunnerOptions } from "../runner/modelRunner.js";
import type { Runtime } from "../runtime/runtime.js";
import { createFlamingoTokenizer, type FlamingoTokenizer } from "../text/flamingoTokens.js";
import { createFlamingo, type FlamingoParts } from "./createFlamingo.js";
import { createClipTokenizer } from "./embed.js";
import type { Flamingo } from "./flamingo.js";
import type { LoadOptions } from "./loadOptions.js";

/** What loading needs of the system that it runs on. */
export interface Platform {
  /**
   * A file of the model, as text; undefined where it is not there.
   *
   * @throws OpenFlamingoError `model-invalid` where it cannot be read, is too long, or leaves its folder
   */
  readText(at: ModelPath, signal: AbortSignal | undefined): Promise<string | undefined>;
  openCheckpoint(at: ModelPath, options: OpenOptions): Promise<Checkpoint>;
  openRuntime(name: string | undefined, onNotice: LoadOptions["onNotice"]): Promise<Runtime>;
  /** What notices go to unless the caller takes them. */
  warn(text: string): void;
  decodeImage(
    source: ImageSource,
    options: ImageOptions & Pick<LoadOptions, "allowPrivateAddresses" | "signal">,
  ): Promise<Raster>;
}

/** A description whose paths are such as the platform reads. */
export interface OpenableModel extends ModelDescription {
  /** Its files may not lie elsewhere. */
  readonly folder: string;
  /** The same for a model whose parts lie in folders of their own, as on the hub. */
  readonly folders?: Readonly<Record<"vision" | "language" | "flamingo", string>> | undefined;
  /** The vision encoder's configuration where there is no file of it. */
  readonly visionJson?: unknown;
}

/**
 * Opens the model that a description names, its paths being such as the platform reads, and in its folder.
 *
 * @throws OpenFlamingoError `model-…`, `checkpoint-…`, `tokenizer-invalid`, `weights-not-finite`, `backend`, `memory`
 */
export async function loadModel(
  platform: Platform,
  description: OpenableModel,
  options: LoadOptions,
): Promise<Flamingo> {
  const { signal } = options;
  signal?.throwIfAborted();
  const { folder, vision, language, flamingo, visionJson } = description;
  const folders = description.folders ?? { vision: folder, language: folder, flamingo: folder };
  const trained = description.words === "trained";
  const notify = options.onNotice ?? platform.warn;
  if (!trained) notify(`${quoted(description.name)} is untrained: its words mean nothing`);
  const at = (part: keyof typeof folders, path: string): ModelPath => ({ folder: folders[part], path });
  const visionConfig = at("vision", vision.config);
  const visual = visionConfiguration(
    vision.config,
    visionJson ?? (await readJson(platform, visionConfig, signal)),
  );
  const parts = await readParts(platform, {
    visual,
    languageConfig: at("language", language.config),
    tokenizer: at("language", language.tokenizer),
    crossAttentionEvery: flamingo.crossAttentionEvery,
    signal,
  });
  const open = checkpointOpener(platform, options);
  const model = await withClosing(async (closing) => {
    const checkpoints = {
      vision: closing(await open(at("vision", vision.weights))),
      language: closing(await open(at("language", language.weights))),
      flamingo: closing(await open(at("flamingo", flamingo.checkpoint))),
    };
    return openOnRuntime(platform, { ...parts, checkpoints }, options);
  });
  const openVision = () =>
    checkpointOpener(platform, { limits: options.limits })(at("vision", vision.weights));
  return createFlamingo({
    ...parts,
    ...model,
    features: createFeatures(model.runner, visual, openVision, { threads: options.threads }),
    async clipTokenizer() {
      const text = visual.text();
      const file = beside(visionConfig, "tokenizer.json");
      return createClipTokenizer(file.path, await readOptionalJson(platform, file, undefined), text);
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
    signal,
  }: {
    readonly visual: VisionConfiguration;
    readonly languageConfig: ModelPath;
    readonly tokenizer: ModelPath;
    readonly crossAttentionEvery: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<ModelParts> {
  const readBeside = (name: string) => readOptionalJson(platform, beside(tokenizerFile, name), signal);
  const tokenizer = createFlamingoTokenizer(await readJson(platform, tokenizerFile, signal), {
    specialTokensMap: await readBeside("special_tokens_map.json"),
    tokenizerConfig: await readBeside("tokenizer_config.json"),
  });
  const languageJson = await readJson(platform, languageConfig, signal);
  const language = languageModel(languageConfig.path, languageJson, tokenizer.size);
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
  {
    config,
    tokenizer,
    checkpoints,
    programs,
  }: Pick<ModelParts, "config" | "tokenizer"> & Pick<RunnerOptions, "checkpoints" | "programs">,
  { threads, engine, backend = engine, signal, onProgress, onNotice = platform.warn }: LoadOptions,
): Promise<OpenModel> {
  const runtime = await platform.openRuntime(backend, onNotice);
  try {
    const runner = await openModelRunner({
      runtime,
      config,
      checkpoints,
      programs,
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

/** @throws OpenFlamingoError `model-missing`, and what `Platform.readText` throws */
export async function readJson(
  platform: Platform,
  at: ModelPath,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const text = await platform.readText(at, signal);
  if (text !== undefined) return parse(at.path, text);
  throw new OpenFlamingoError("model-missing", `${at.path}: cannot be read: it is not there`, {
    hint: "Is the model whole?",
  });
}

/** The same for a file that need not be there. */
export async function readOptionalJson(
  platform: Platform,
  at: ModelPath,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const text = await platform.readText(at, signal);
  return text === undefined ? undefined : parse(at.path, text);
}

const parse = (path: string, text: string): unknown =>
  parseJson(
    text,
    (what, cause) =>
      new OpenFlamingoError("model-invalid", `${path}: ${what}`, { hint: "Is the file whole?", cause }),
  );
