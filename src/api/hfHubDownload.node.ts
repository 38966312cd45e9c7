/** Files of the hub by their names, as in Python's huggingface_hub. */
import { OpenFlamingoError } from "../base/errors.js";
import { anyFunction, optional, string } from "../base/fields.js";
import type { Progress } from "../base/progress.js";
import { hubFile } from "../hub/hub.node.js";
import { readHubSettings } from "../hub/settings.node.js";
import { readOptions, signal } from "./readOptions.js";

export interface HubDownloadOptions {
  /** A branch, a tag or a commit. Default: `main`. */
  readonly revision?: string | undefined;
  /** Stops the download, which goes on from there when it is asked for again. */
  readonly signal?: AbortSignal | undefined;
  /** Called while it is fetched, with bytes that are there and in all, and what is fetched. */
  readonly onProgress?: Progress | undefined;
}

/**
 * A file of a repository on the hub: fetched into the cache folder that Python's huggingface_hub uses, if it is not
 * there in its newest form. Environment variables are those of that package: docs/hub.md.
 *
 * @returns its local path
 * @throws OpenFlamingoError `usage` for names that cannot be on the hub; `network` when it is not there or cannot be
 *   fetched; `disk`; the signal's reason
 * @example
 * const path = await hfHubDownload("openflamingo/OpenFlamingo-9B-vitl-mpt7b", "checkpoint.pt");
 */
export async function hfHubDownload(
  repository: string,
  file: string,
  options: HubDownloadOptions = {},
): Promise<string> {
  const { revision, ...rest } = readOptions("hfHubDownload", readers, options);
  const found = await hubFile({ repository, file, revision }, { ...rest, settings: await readHubSettings() });
  if (found) return found.path;
  throw new OpenFlamingoError("network", `${repository} (${revision}) has no file ${file}`, {
    hint: "Check its name on the hub.",
  });
}

const readers = {
  revision: optional(string, "main"),
  signal,
  onProgress: optional(anyFunction<Progress>()),
};
