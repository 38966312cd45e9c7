/**
 * The prepared folders of released models, each under a name that says what it is made of:
 *
 *     ASSETS/openflamingo/prepared/OWNER--NAME--int4-b128--COMMIT-COMMIT-SHA256
 *
 * The three are the beginnings of what the trained weights, the language model and the vision encoder are known by, so
 * that another revision has another folder. ASSETS is where huggingface_hub wants what a library makes of the hub's
 * files, and the folder is its `cached_assets_path("openflamingo", "prepared", …)`.
 *
 * Source: huggingface_hub, "Understand caching", on assets.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { unfinishedEnding } from "../checkpoints/preparedIndex.js";
import { repositoryCache } from "../hub/cache.node.js";
import { isRepository } from "../hub/names.js";
import type { HubSettings } from "../hub/settings.node.js";
import type { HubModel } from "./releasedModels.node.js";

/** How weights are kept, as `prepare` takes it. */
export interface PreparedFormat {
  readonly weights: string;
  /** How many numbers share a scale. */
  readonly block: number;
  /** What tells other settings from the usual ones. */
  readonly variant?: string | undefined;
}

/** What is in a folder, by its name. */
export interface PreparedModel {
  /** `owner/name` */
  readonly name: string;
  readonly path: string;
  /** Such as `int4-b128`, `int4-b128-1f0c93aa` with other settings than the usual ones, or `fp16`. */
  readonly format: string;
  /** The beginnings of the sources. */
  readonly sources: readonly string[];
  /** Whether its preparation has not ended. */
  readonly isUnfinished: boolean;
}

const beginning = 8;

const placeOf = ({ assets }: HubSettings): string => join(assets, "openflamingo", "prepared");

function formatName({ weights, block, variant }: PreparedFormat): string {
  const blocks = weights.startsWith("int") ? [`b${block}`] : [];
  return [weights, ...blocks, ...(variant === undefined ? [] : [variant])].join("-");
}

/** Where a model with these sources is prepared. */
export function preparedFolder(
  { name }: HubModel,
  settings: HubSettings,
  format: PreparedFormat,
  sources: readonly string[],
): string {
  const made = sources.map((source) => source.slice(0, beginning)).join("-");
  return join(placeOf(settings), `${name.replace("/", "--")}--${formatName(format)}--${made}`);
}

/** All that are there, by name. */
export async function preparedModels(settings: HubSettings): Promise<readonly PreparedModel[]> {
  const place = placeOf(settings);
  const folders = await readdir(place).catch(() => []);
  return folders.sort().flatMap((folder) => {
    const isUnfinished = folder.endsWith(unfinishedEnding);
    const whole = isUnfinished ? folder.slice(0, -unfinishedEnding.length) : folder;
    const [owner, of, format, made, ...rest] = whole.split("--");
    const name = `${owner}/${of}`;
    const isOne = isRepository(name) && format && made && /^[\da-f-]+$/.test(made) && rest.length === 0;
    return isOne ? [{ name, path: join(place, folder), format, sources: made.split("-"), isUnfinished }] : [];
  });
}

/**
 * The folder that a model was prepared in last, of those that are not out of date: the cache knows no other commit of a
 * source. Nothing is asked of the network, and what was prepared stays in use when its sources are removed.
 *
 * @param block any unless given, and any other settings
 */
export async function findPrepared(
  model: HubModel,
  settings: HubSettings,
  { weights, block, variant }: Pick<PreparedFormat, "weights" | "variant"> & { readonly block?: number },
): Promise<PreparedModel | undefined> {
  const isWanted = (format: string) =>
    block === undefined
      ? format.split("-")[0] === weights
      : format === formatName({ weights, block, variant });
  const named = (await preparedModels(settings)).filter(
    ({ name, format, isUnfinished }) => name === model.name && isWanted(format) && !isUnfinished,
  );
  if (named.length === 0) return undefined;
  const commitOf = (repository: string, revision: string) =>
    repositoryCache(settings.cache, repository).commitOf(revision);
  const known = [
    [await commitOf(model.name, "main")],
    await Promise.all(model.languages.map(({ repository, revision }) => commitOf(repository, revision))),
    [model.clip.sha256],
  ];
  const isCurrent = ({ sources }: PreparedModel) =>
    known.every((commits, i) =>
      commits.some((commit) => commit === undefined || commit.slice(0, beginning) === sources[i]),
    );
  const dated = await Promise.all(
    named.filter(isCurrent).map(async (each) => {
      const stats = await stat(each.path).catch(() => undefined); // it may have been removed meanwhile
      return { each, at: stats?.mtimeMs ?? 0 };
    }),
  );
  return dated.sort((a, b) => b.at - a.at)[0]?.each;
}
