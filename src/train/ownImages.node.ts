/** The short way: a folder of one's own images and a list of their captions, as shards in the run's folder. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { packData } from "../api/packData.node.js";
import { missingData } from "../pack/dataErrors.js";
import type { TrainingOptions } from "./options/table.js";

/** What `caption` asks with: captions are learnt behind it, so that they are what it answers. */
const template = "Output:{caption}";

/** Folders in a run's folder, beside those of the run. */
const [shardFolder, featureFolder] = ["data", "features"] as const;
export const ownFolders: readonly string[] = [shardFolder, featureFolder];

/** @throws OpenFlamingoError `data-missing` where the folder or the list that is named is not there */
export async function requireOwnImages({ images, captions }: TrainingOptions): Promise<void> {
  for (const path of [images, captions]) {
    if (path === undefined) continue;
    await stat(path).catch((error: unknown) => {
      throw missingData(path, error);
    });
  }
}

/**
 * Packs `images` and `captions`, and names the shards in the options; a run that goes on finds them packed.
 *
 * @throws OpenFlamingoError `data-…`, `disk`; `signal.reason`
 */
export async function withOwnImages(
  options: TrainingOptions,
  run: string,
  how: {
    readonly signal?: AbortSignal | undefined;
    readonly onNotice: (text: string) => void;
    readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
  },
): Promise<TrainingOptions> {
  const { images, captions, seed } = options;
  if (images === undefined || captions === undefined) return options;
  const { onNotice, ...others } = how;
  const shards = join(run, shardFolder);
  const { samples, skipped } = await packData({
    ...{ kind: "captions", lists: [captions], images, output: shards, template, seed: seed % 2 ** 32 },
    ...others,
  });
  for (const [cause, { count, first }] of Object.entries(skipped)) {
    onNotice(`${count} of the images are left out: ${cause} (${first.join(", ")})`);
  }
  return {
    ...options,
    laionShards: [shards],
    trainNumSamplesLaion: samples,
    batchSizeLaion: Math.min(options.batchSizeLaion, samples),
    cacheFeatures: options.cacheFeatures ?? join(run, featureFolder),
  };
}
