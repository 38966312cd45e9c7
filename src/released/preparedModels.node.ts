/**
 * The prepared folders of released models, each under a name that says what it is made of:
 *
 *     ASSETS/openflamingo/prepared/OWNER--NAME--int4-b128--COMMIT-COMMIT-SHA256--v2
 *
 * The three are the beginnings of what the trained weights, the language model and the vision encoder are known by, so
 * that another revision has another folder; and so has another version of what is written, so that two versions of this
 * program do not take each other's. ASSETS is where huggingface_hub wants what a library makes of the hub's
 * files, and the folder is its `cached_assets_path("openflamingo", "prepared", …)`.
 *
 * Source: huggingface_hub, "Understand caching", on assets.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { preparedVersion } from "../checkpoints/modelFolder.js";
import { unfinishedEnding } from "../checkpoints/preparedIndex.js";
import { repositoryCache } from "../hub/cache.node.js";
import { bytesIn } from "../hub/cachedModels.node.js";
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
  /** Whether this version of the program can use it. */
  readonly isOfThisVersion: boolean;
  /** Whether its preparation has not ended. */
  readonly isUnfinished: boolean;
}

const beginning = 8;

const placeOf = ({ assets }: HubSettings): string => join(assets, "openflamingo", "prepared");

const ownVersion = `v${preparedVersion}`;

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
  const parts = [name.replace("/", "--"), formatName(format), made, ownVersion];
  return join(placeOf(settings), parts.join("--"));
}

/** All that are there, by name. */
export async function preparedModels(settings: HubSettings): Promise<readonly PreparedModel[]> {
  const place = placeOf(settings);
  const folders = await readdir(place).catch(() => []);
  return folders.sort().flatMap((folder) => {
    const isUnfinished = folder.endsWith(unfinishedEnding);
    const whole = isUnfinished ? folder.slice(0, -unfinishedEnding.length) : folder;
    const [owner, of, format, made, version, ...rest] = whole.split("--");
    const name = `${owner}/${of}`;
    const isOne =
      isRepository(name) && format && made && /^[\da-f-]+$/.test(made) && /^v\d+$/.test(version ?? "v1");
    if (!isOne || rest.length > 0) return [];
    const isOfThisVersion = version === ownVersion;
    const path = join(place, folder);
    return [{ name, path, format, sources: made.split("-"), isOfThisVersion, isUnfinished }];
  });
}

/** Folders of the same model and format that other versions of this program made, and that this one cannot use. */
export const ofOtherVersions = async (
  model: HubModel,
  settings: HubSettings,
  wanted: WantedFormat,
): Promise<readonly PreparedModel[]> =>
  (await preparedModels(settings)).filter(
    (each) => !each.isOfThisVersion && !each.isUnfinished && isOf(each, model, wanted),
  );

interface WantedFormat {
  readonly weights: string;
  /** Any unless given, and any other settings then. */
  readonly block?: number | undefined;
  readonly variant?: string | undefined;
}

const isOf = (
  { name, format }: PreparedModel,
  model: HubModel,
  { weights, block, variant }: WantedFormat,
): boolean =>
  name === model.name &&
  (block === undefined
    ? format.split("-")[0] === weights
    : format === formatName({ weights, block, variant }));

/** Bytes on the disk of a preparation in this format that was stopped. */
export async function unfinishedBytes(
  model: HubModel,
  settings: HubSettings,
  format: PreparedFormat,
): Promise<number> {
  const found = (await preparedModels(settings)).filter(
    (each) => each.isUnfinished && each.isOfThisVersion && isOf(each, model, format),
  );
  const sizes = await Promise.all(found.map(({ path }) => bytesIn(path)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * The folder that a model was prepared in last, of those that are not out of date: the cache knows no other commit of a
 * source. Nothing is asked of the network, and what was prepared stays in use when its sources are removed.
 */
export async function findPrepared(
  model: HubModel,
  settings: HubSettings,
  wanted: WantedFormat,
): Promise<PreparedModel | undefined> {
  const named = (await preparedModels(settings)).filter(
    (each) => each.isOfThisVersion && !each.isUnfinished && isOf(each, model, wanted),
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
