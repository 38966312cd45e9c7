/** Fetches what is missing of a released model, and describes it as an `openflamingo.json` would. */
import { basename, dirname, join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { inside, type ModelPath } from "../checkpoints/modelPath.js";
import type { OpenableModel } from "../checkpoints/openableModel.js";
import { clipFile, clipTokenizer } from "../hub/clip.node.js";
import type { HubOptions } from "../hub/hub.node.js";
import { fetchFirstLanguageModel, requireFile } from "../hub/languageModel.node.js";
import type { HubModel } from "./releasedModels.node.js";

/** A model whose files are in the cache folder. */
export interface FetchedModel extends OpenableModel {
  /** What it is made of: the commits of trained weights and language model, the SHA-256 of the vision encoder. */
  readonly sources: readonly string[];
  /** The repository that the language model is from. */
  readonly languageRepository: string;
}

/**
 * @param revision of the trained weights; `main` unless given
 * @throws OpenFlamingoError `network`, `disk`, `model-missing`, `model-invalid`; the signal's reason
 */
export async function fetchModel(
  model: HubModel,
  options: HubOptions,
  revision = "main",
): Promise<FetchedModel> {
  const trained = await requireFile({ repository: model.name, revision }, "checkpoint.pt", options);
  const language = await fetchFirstLanguageModel(model.languages, options);
  const clip = await clipFile(options, model.clip);
  const flamingo = dirname(trained.path);
  const vision = dirname(clip);
  return {
    name: model.name,
    words: "trained",
    folder: flamingo,
    folders: { vision, language: language.folder, flamingo },
    vision: { config: join(vision, "open_clip_config.json"), weights: clip },
    visionJson: model.visionJson,
    clipTokenizer: await optionalTokenizer(options),
    language: {
      config: join(language.folder, "config.json"),
      weights: language.folder,
      tokenizer: join(language.folder, "tokenizer.json"),
    },
    flamingo: { checkpoint: trained.path, crossAttentionEvery: model.crossAttentionEvery },
    languageRepository: language.repository,
    sources: [trained.commit, language.commit, model.clip.sha256],
  };
}

/** Nothing but the features of texts needs CLIP's tokenizer: a hub without it keeps nobody from a caption. */
async function optionalTokenizer(options: HubOptions): Promise<ModelPath | undefined> {
  try {
    const path = await clipTokenizer(options);
    return path === undefined ? undefined : inside({ path: dirname(path) }, basename(path));
  } catch (error) {
    if (!(error instanceof OpenFlamingoError) || error.code !== "network") throw error;
    if (!options.settings.isOffline) {
      options.onNotice?.(`without CLIP's tokenizer, embed takes no texts: ${error.message}`);
    }
    return undefined;
  }
}
