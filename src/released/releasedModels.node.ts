/** The released models, known by their names on the hub. */
import { stat } from "node:fs/promises";
import { OpenFlamingoError } from "../base/errors.js";
import { nearest } from "../base/nearest.js";
import { quoted } from "../base/quoted.js";
import { clipVitL14, type PublishedFile } from "../hub/clip.node.js";
import type { RepositoryAt } from "../hub/languageModel.node.js";
import { isRepository } from "../hub/names.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { vitL14Configuration } from "../models/vitL14.js";
import { zoo } from "../models/zoo.js";

/** Where the parts of a model are. */
export interface HubModel {
  /** Of the repository of its trained weights. */
  readonly name: string;
  /** Repositories with the same language model, the preferred one first. */
  readonly languages: readonly RepositoryAt[];
  readonly config: FlamingoConfig;
  readonly clip: PublishedFile;
  /** What an `open_clip_config.json` of the vision encoder would say. */
  readonly visionJson: unknown;
}

export const releasedModels: readonly HubModel[] = zoo.map(({ name, language, pinned, config }) => ({
  name,
  languages: [...(pinned ? [pinned] : []), { repository: language, revision: "main" }],
  config,
  clip: clipVitL14,
  visionJson: vitL14Configuration,
}));

/** Whether a text that should name a model is a name on the hub: `owner/name`, and no folder that is there. */
export const isHubName = async (model: string): Promise<boolean> =>
  isRepository(model) && (await stat(model).catch(() => undefined)) === undefined;

/** @throws OpenFlamingoError `model-missing` for another name */
export function requireReleased(name: string): HubModel {
  const found = releasedModels.find((each) => each.name === name);
  if (found) return found;
  const names = releasedModels.map((each) => each.name);
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
