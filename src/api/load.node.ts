/** Loading on Node: models in folders, and released ones by their names on the hub. */
import { OpenFlamingoError } from "../base/errors.js";
import { requireNode } from "../base/nodeVersion.node.js";
import { quoted } from "../base/quoted.js";
import { readModelFolder } from "../checkpoints/modelFolder.node.js";
import type { OpenableModel, OpenablePrepared } from "../checkpoints/openableModel.js";
import { readHubSettings } from "../hub/settings.node.js";
import { requireMemoryFor } from "../machine/requireMemory.js";
import { fetchModel } from "../released/fetchModel.node.js";
import { findPrepared, ofOtherVersions } from "../released/preparedModels.node.js";
import { isHubName, requireReleased } from "../released/releasedModels.node.js";
import { aboutBundledModel, bundledModel } from "./bundledModel.node.js";
import { createFlamingo, type FlamingoParts } from "./createFlamingo.js";
import type { Flamingo } from "./flamingo.js";
import { openModel } from "./load.js";
import { type LoadOptions, loadReaders } from "./loadOptions.js";
import { node } from "./platform.node.js";
import { prepareReleased } from "./prepare.node.js";
import { readOptions } from "./readOptions.js";

/**
 * Loads a model and makes it ready to answer.
 *
 * @param model the folder of a model, with its `openflamingo.json`; or the name of a released model, such as
 *   `openflamingo/OpenFlamingo-9B-vitl-mpt7b`; the model that comes with the package if left out. A released model is
 *   fetched and prepared at first use, and from then on opened from its prepared folder, without a network
 * @throws OpenFlamingoError `network`, `disk`, `model-missing`, `model-invalid`, `model-unsupported`, `checkpoint-…`, `tokenizer-invalid`,
 *   `weights-not-finite`, `backend`, `memory`, `usage`; `signal.reason` when stopped
 * @example
 * const flamingo = await load();
 * try {
 *   console.log((await flamingo.caption("cat.jpg")).text);
 * } finally {
 *   await flamingo.close();
 * }
 */
export const load = async (model?: string, options?: LoadOptions): Promise<Flamingo> =>
  createFlamingo(await openNamed(model, options));

/** The same, in parts. */
export async function openNamed(named?: string, options: LoadOptions = {}): Promise<FlamingoParts> {
  requireNode();
  readOptions("load", loadReaders, options);
  const model = named ?? bundledModel();
  if (typeof model !== "string" || model === "") {
    throw new OpenFlamingoError(
      "usage",
      `load: the model is ${quoted(model)}; it must be the path of a folder`,
      { hint: "Leave it out for the model that comes with the package." },
    );
  }
  if (named === undefined) (options.onNotice ?? node.warn)(aboutBundledModel);
  const description = (await isHubName(model))
    ? await openable(model, options)
    : await readModelFolder(model, options.signal);
  return openModel(node, description, options);
}

/** A released model's prepared folder, made at first use; with float32, its files as they are. */
async function openable(
  name: string,
  { weights = "int4", cache, signal, memoryCheck, onProgress, onNotice = node.warn }: LoadOptions,
): Promise<OpenableModel | OpenablePrepared> {
  const model = requireReleased(name);
  const settings = await readHubSettings();
  const prepared = await findPrepared(model, settings, { weights });
  if (prepared) return readModelFolder(prepared.path, signal);
  if (memoryCheck !== "off") requireMemoryFor(node.memory(), model, weights, cache);
  if (weights === "fp32") {
    return fetchModel(model, { settings, preferCache: true, signal, onProgress, onNotice });
  }
  const others = await ofOtherVersions(model, settings, { weights });
  const why = others.length > 0 ? "again, as another version of this program did" : "at its first use";
  onNotice(`${name} is prepared as ${weights} ${why}, which takes a while; later it is opened from there`);
  const how = { weights, block: 128, keep: new Map(), signal, onProgress, onNotice };
  return readModelFolder((await prepareReleased(model, settings, how)).folder, signal);
}
