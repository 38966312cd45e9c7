/** Fetches what is missing of a released model, and describes it as an `openflamingo.json` would. */
import { basename, dirname, join } from "node:path";
import { shownSize } from "../base/bytes.js";
import { OpenFlamingoError } from "../base/errors.js";
import type { Progress } from "../base/progress.js";
import { inside, type ModelPath } from "../checkpoints/modelPath.js";
import type { OpenableModel } from "../checkpoints/openableModel.js";
import { clipFile, clipTokenizer } from "../hub/clip.node.js";
import type { HubOptions } from "../hub/hub.node.js";
import { fetchLanguageModel, requireFile, withFirstLanguageModel } from "../hub/languageModel.node.js";
import type { HubModel } from "./releasedModels.node.js";
import { requireRoom, type ToPrepare } from "./requireRoom.node.js";

/** A model whose files are in the cache folder. */
export interface FetchedModel extends OpenableModel {
  /**
   * What it is made of: the commits of trained weights and language model, the published SHA-256 of the vision encoder,
   * also where the hub's copy of that is taken, which has the same weights.
   */
  readonly sources: readonly string[];
  /** All that it was taken from. */
  readonly repositories: readonly string[];
}

export interface FetchModelOptions {
  /** Of the trained weights. Default: `main`. */
  readonly revision?: string | undefined;
  /** The folder that is made of it next: there must be room for that too. */
  readonly prepared?: ToPrepare | undefined;
}

/** @throws OpenFlamingoError `network`, `disk`, `model-missing`, `model-invalid`; the signal's reason */
export async function fetchModel(
  model: HubModel,
  given: HubOptions,
  { revision = "main", prepared }: FetchModelOptions = {},
): Promise<FetchedModel> {
  const bytes = await requireRoom(model, given, { revision, prepared });
  if (bytes > 0) given.onNotice?.(`${model.name}: ${shownSize(bytes)} are to be fetched`);
  const options = { ...given, onProgress: progressOfAll(model.name, bytes, given.onProgress) };
  const trained = await requireFile({ repository: model.name, revision }, "checkpoint.pt", options);
  const language = await withFirstLanguageModel(model.languages, options, fetchLanguageModel);
  const clip = await clipFile(options, model.clip);
  const flamingo = dirname(trained.path);
  const vision = dirname(clip.path);
  return {
    name: model.name,
    words: "trained",
    folder: flamingo,
    folders: { vision, language: language.folder, flamingo },
    vision: { config: join(vision, "open_clip_config.json"), weights: clip.path },
    visionJson: model.visionJson,
    clipTokenizer: await optionalTokenizer(options),
    language: {
      config: join(language.folder, "config.json"),
      weights: language.folder,
      tokenizer: join(language.folder, "tokenizer.json"),
    },
    flamingo: { checkpoint: trained.path, crossAttentionEvery: model.config.crossAttentionEvery },
    repositories: [model.name, language.repository, ...(clip.repository ? [clip.repository] : [])],
    sources: [trained.commit, language.commit, model.clip.sha256],
  };
}

/**
 * The progress of all files together, in place of that of each.
 *
 * @param total bytes of the large ones; the others' do not count
 */
function progressOfAll(name: string, total: number, onProgress: Progress | undefined): Progress {
  const files = new Map<string, { before: number; done: number }>();
  return (done, _size, what) => {
    const file = files.get(what) ?? { before: done, done };
    files.set(what, { ...file, done });
    const all = [...files.values()].reduce((sum, { before, done }) => sum + done - before, 0);
    if (total > 0) onProgress?.(Math.max(0, Math.min(all, total)), total, `fetching ${name}`);
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
