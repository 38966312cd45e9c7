/** Models by their names on the hub: fetches what is missing, and describes them as an `openflamingo.json` would. */
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { nearest } from "../base/nearest.js";
import { quoted } from "../base/quoted.js";
import { clipFile, clipVitL14, type PublishedFile } from "../hub/clip.node.js";
import { byName, type HubOptions } from "../hub/hub.node.js";
import { fetchLanguageModel, type OnFile, requireFile } from "../hub/languageModel.node.js";
import { isRepository } from "../hub/names.js";
import { zoo } from "../models/zoo.js";
import type { OpenableModel } from "./load.js";
import { vitL14Configuration } from "./vitL14.js";

/** Where the parts of a model are. */
export interface HubModel {
  readonly name: string;
  readonly language: string;
  /** Of the language model; `main` unless given. */
  readonly languageRevision?: string | undefined;
  readonly crossAttentionEvery: number;
  readonly clip: PublishedFile;
  readonly visionJson: unknown;
}

/** The released models. */
export const releasedModels: readonly HubModel[] = zoo.map(({ name, language, config }) => ({
  name,
  language,
  crossAttentionEvery: config.crossAttentionEvery,
  clip: clipVitL14,
  visionJson: vitL14Configuration,
}));

/** Whether a text that should name a model is a name on the hub: `owner/name`, and no folder that is there. */
export const isHubName = async (model: string): Promise<boolean> =>
  isRepository(model) && (await stat(model).catch(() => undefined)) === undefined;

/** @throws OpenFlamingoError `model-missing` for another name */
export function requireReleased(name: string, models: readonly HubModel[] = releasedModels): HubModel {
  const found = models.find((each) => each.name === name);
  if (found) return found;
  const names = models.map((each) => each.name);
  const meant = nearest(name, names) ?? nearest(name.replace(/^.*\//, "openflamingo/"), names);
  throw new OpenFlamingoError(
    "model-missing",
    `${quoted(name)} is no folder, and none of the models that are known on the hub`,
    {
      hint: meant
        ? `Did you mean ${meant}?`
        : `A model is a folder with an openflamingo.json, or one of ${names.join(", ")}.`,
    },
  );
}

/** @throws OpenFlamingoError `network`, `disk`, `model-missing`, `model-invalid`; the signal's reason */
export async function fetchModel(
  model: HubModel,
  options: HubOptions,
  { revision = "main", onFile }: { revision?: string | undefined; onFile?: OnFile | undefined } = {},
): Promise<OpenableModel> {
  const checkpointFile = await requireFile(
    { repository: model.name, revision },
    "checkpoint.pt",
    options,
    onFile,
  );
  const { language: repository, languageRevision = "main" } = model;
  const language = await fetchLanguageModel({ repository, revision: languageRevision }, options, onFile);
  onFile?.(model.clip.name);
  const clip = await clipFile(byName(options, model.clip.address), model.clip);
  const flamingo = dirname(checkpointFile.path);
  const vision = dirname(clip);
  return {
    name: model.name,
    words: "trained",
    folder: flamingo,
    folders: { vision, language, flamingo },
    vision: { config: join(vision, "open_clip_config.json"), weights: clip },
    visionJson: model.visionJson,
    language: {
      config: join(language, "config.json"),
      weights: language,
      tokenizer: join(language, "tokenizer.json"),
    },
    flamingo: { checkpoint: checkpointFile.path, crossAttentionEvery: model.crossAttentionEvery },
  };
}
