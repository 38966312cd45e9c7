/** What a model is, without its weights: from its configuration files. */
import { beside, type ModelPath } from "../checkpoints/modelPath.js";
import { type OpenableModel, type OpenablePrepared, pathsOf } from "../checkpoints/openableModel.js";
import type { Preprocessing } from "../images/index.js";
import { languageModel, type VisionConfiguration, visionConfiguration } from "../models/configuration.js";
import { releasedCrossAttention } from "../models/crossAttention.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { releasedPerceiver } from "../models/perceiver.js";
import { createFlamingoTokenizer, type FlamingoTokenizer } from "../text/flamingoTokens.js";
import type { Platform } from "./platform.js";
import { readJson, readOptionalJson } from "./readJson.js";

/** What the configuration files of a model say. */
export interface Configs extends ModelParts {
  readonly visual: VisionConfiguration;
}

/** @throws OpenFlamingoError `model-…`, `tokenizer-invalid` */
export async function readConfigs(
  platform: Platform,
  description: OpenableModel | OpenablePrepared,
  signal: AbortSignal | undefined,
): Promise<Configs> {
  const { vision, language, flamingo, visionJson } = description;
  const at = pathsOf(description);
  const visual = visionConfiguration(
    vision.config,
    visionJson ?? (await readJson(platform, at("vision", vision.config), signal)),
  );
  const parts = await readParts(platform, {
    visual,
    languageConfig: at("language", language.config),
    tokenizer: at("language", language.tokenizer),
    crossAttentionEvery: flamingo.crossAttentionEvery,
    signal,
  });
  return { ...parts, visual };
}

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
