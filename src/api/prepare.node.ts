/** Preparing models, from folders and by their names on the hub. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { anyFunction, integer, oneOf, optional } from "../base/fields.js";
import type { Progress } from "../base/progress.js";
import { readModelFolder, requireCheckpoints } from "../checkpoints/modelFolder.node.js";
import type { OpenableModel } from "../checkpoints/openableModel.js";
import { dataFile } from "../checkpoints/preparedIndex.js";
import type { HubOptions } from "../hub/hub.node.js";
import { type HubSettings, readHubSettings } from "../hub/settings.node.js";
import { preparedBytes } from "../machine/preparedBytes.js";
import { type Written, writeFolder } from "../prepare/writeFolder.node.js";
import { fetchModel } from "../released/fetchModel.node.js";
import {
  findPrepared,
  ofOtherVersions,
  preparedFolder,
  unfinishedBytes,
} from "../released/preparedModels.node.js";
import { type HubModel, isHubName, requireReleased } from "../released/releasedModels.node.js";
import { type WeightFormat, weightFormats } from "../runner/weightFormats.js";
import { readConfigs } from "./load.js";
import { node } from "./platform.node.js";
import { readOptions, signal } from "./readOptions.js";

export interface PrepareOptions {
  /** `int4` (the default), `int8` or `fp32`. */
  readonly weights?: WeightFormat | undefined;
  /** How many numbers share a scale: 128 (the default) is the fastest, 32 the most exact. */
  readonly block?: number | undefined;
  /** Stops the work, which goes on from there when it is begun again. */
  readonly signal?: AbortSignal | undefined;
  /** Called while files are fetched, and while weights are written, with bytes of float32 done and in all. */
  readonly onProgress?: Progress | undefined;
  /**
   * Called once for each thing that a user should know, such as another process that prepares the same. Default: a
   * warning of the process, of the type `OpenFlamingoNotice`.
   */
  readonly onNotice?: ((text: string) => void) | undefined;
}

const readers = {
  weights: optional(oneOf<WeightFormat>(...weightFormats), "int4"),
  block: optional(integer(16, 256), 128),
  signal,
  onProgress: optional(anyFunction<Progress>()),
  onNotice: optional(anyFunction<(text: string) => void>(), node.warn),
};

/** What was prepared. */
export interface Prepared extends Written {
  readonly folder: string;
}

/**
 * Writes a folder that `load` opens. Interrupted, it goes on where it was; the folder is there when it is whole.
 *
 * @param model the folder of a model with its checkpoints; or the name of a released model, of which what is missing in
 *   the hub's cache folder is fetched
 * @param output the folder to be made, which must not be there. Default: of a folder, beside it, with the format in its
 *   name; of a name, the place where `load` finds it by that name: what is there is left as it is
 * @throws OpenFlamingoError as `load`; `disk`; `usage` where the output is there
 */
export async function prepare(
  model: string,
  output?: string,
  options: PrepareOptions = {},
): Promise<Prepared> {
  const how = readOptions("prepare", readers, options);
  if (await isHubName(model)) {
    const released = requireReleased(model);
    const settings = await readHubSettings();
    if (output === undefined) return prepareReleased(released, settings, how);
    await requireAbsent(output); // before anything is fetched
    const folder = resolve(output);
    const prepared = { folder, bytes: async () => preparedBytes(released, how) };
    return write(folder, await fetchModel(released, hubOptions(settings, how), { prepared }), how);
  }
  const folder = resolve(output ?? `${model.replace(/[/\\]+$/, "")}-${how.weights}`);
  await requireAbsent(folder);
  return write(folder, requireCheckpoints(await readModelFolder(model, how.signal)), how);
}

/** How to prepare, with what `PrepareOptions` leave open. */
interface How extends Pick<PrepareOptions, "signal" | "onProgress"> {
  readonly weights: WeightFormat;
  readonly block: number;
  readonly onNotice: (text: string) => void;
}

/** The folder in which `load` finds a released model, written where it is not there. */
export async function prepareReleased(model: HubModel, settings: HubSettings, how: How): Promise<Prepared> {
  const found = await findPrepared(model, settings, how);
  if (found) {
    how.onNotice(`${model.name} is prepared as ${how.weights} already`);
    return asItIs(found.path);
  }
  const bytes = async () => preparedBytes(model, how) - (await unfinishedBytes(model, settings, how));
  const prepared = { folder: settings.assets, bytes };
  const fetched = await fetchModel(model, hubOptions(settings, how), { prepared });
  const folder = preparedFolder(model, settings, how, fetched.sources);
  const written = await writeModel(folder, fetched, how);
  if (!written) return asItIs(folder);
  how.onNotice(
    `${model.name} is prepared as ${how.weights}: what was downloaded is not needed for it any more. To remove that: ` +
      `openflamingo models --downloaded ${fetched.repositories.map((each) => `--remove ${each}`).join(" ")}`,
  );
  for (const { path } of await ofOtherVersions(model, settings, how)) {
    how.onNotice(`${path} is of another version of this program, and may be removed unless that is in use`);
  }
  return { folder, ...written };
}

const hubOptions = (settings: HubSettings, { signal, onProgress, onNotice }: How): HubOptions => ({
  ...{ settings, preferCache: true, signal, onProgress, onNotice },
});

const asItIs = async (folder: string): Promise<Prepared> => {
  const { size } = await stat(join(folder, dataFile));
  return { folder, bytes: size, errors: new Map() };
};

async function writeModel(folder: string, model: OpenableModel, how: How): Promise<Written | undefined> {
  const { weights, block, signal, onProgress, onNotice } = how;
  return writeFolder(folder, model, await readConfigs(node, model, signal), {
    ...{ weights, block, signal },
    onProgress: (done, total) => onProgress?.(done, total, "preparing"),
    onWaiting: () => onNotice(`waiting for another process that prepares ${model.name}`),
  });
}

async function write(folder: string, model: OpenableModel, how: How): Promise<Prepared> {
  const written = await writeModel(folder, model, how);
  if (!written) throw isThere(folder);
  return { folder, ...written };
}

async function requireAbsent(folder: string): Promise<void> {
  if (await stat(folder).catch(() => undefined)) throw isThere(folder);
}

const isThere = (folder: string) =>
  new OpenFlamingoError("usage", `${folder}: is there already`, {
    hint: "Remove it, or name another folder.",
  });
