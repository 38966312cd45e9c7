/** Loading on Node: files of the disk, sharp for images, ONNX Runtime for the work. */
import { OpenFlamingoError } from "../base/errors.js";
import { requireNode } from "../base/nodeVersion.node.js";
import { quoted } from "../base/quoted.js";
import { readText } from "../checkpoints/file.node.js";
import { readModelFolder } from "../checkpoints/modelFolder.node.js";
import { openCheckpoint } from "../checkpoints/openCheckpoint.node.js";
import { openPrepared } from "../checkpoints/preparedFolder.node.js";
import { readHubSettings } from "../hub/settings.node.js";
import { readProcessMemory } from "../machine/memory.node.js";
import { requireMemoryFor } from "../machine/requireMemory.js";
import { zoo } from "../models/zoo.js";
import { openRuntime } from "../runtime/openRuntime.node.js";
import { bundledModel } from "./bundledModel.node.js";
import { createFlamingo, type FlamingoParts } from "./createFlamingo.js";
import { fetchImage } from "./fetchImage.node.js";
import type { Flamingo } from "./flamingo.js";
import { fetchModel, isHubName, requireReleased } from "./hubModel.node.js";
import { openModel } from "./load.js";
import { type LoadOptions, loadReaders } from "./loadOptions.js";
import type { Platform } from "./platform.js";
import { readOptions } from "./readOptions.js";

/**
 * Loads a model and makes it ready to answer.
 *
 * @param model the folder of a model, with its `openflamingo.json`; or the name of a released model, such as
 *   `openflamingo/OpenFlamingo-3B-vitl-mpt1b`, of which what is missing in the hub's cache folder is fetched; the model
 *   that comes with the package if left out
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
export async function openNamed(
  model: string = bundledModel(),
  options: LoadOptions = {},
): Promise<FlamingoParts> {
  requireNode();
  readOptions("load", loadReaders, options);
  if (typeof model !== "string" || model === "") {
    throw new OpenFlamingoError(
      "usage",
      `load: the model is ${quoted(model)}; it must be the path of a folder`,
      { hint: "Leave it out for the model that comes with the package." },
    );
  }
  if (!(await isHubName(model))) {
    return openModel(node, await readModelFolder(model, options.signal), options);
  }
  const { signal, onProgress, onNotice = node.warn } = options;
  const released = requireReleased(model);
  requireFit(released.name, options);
  const hub = { settings: await readHubSettings(), preferCache: true, signal, onProgress, onNotice };
  return openModel(node, await fetchModel(released, hub), options);
}

/** @throws OpenFlamingoError `memory` where a released model would not fit once it is fetched */
function requireFit(name: string, { weights = "fp32", memoryCheck }: LoadOptions): void {
  const model = zoo.find((each) => each.name === name);
  if (model && memoryCheck !== "off") requireMemoryFor(node.memory(), model, weights);
}

export const node: Platform = {
  async readText(at, signal) {
    const read = await readText(at, { signal });
    if ("text" in read) return read.text;
    if (read.absent) return undefined;
    const { fault, hint, cause } = read;
    throw new OpenFlamingoError("model-invalid", `${at.path}: cannot be read: it ${fault}`, { hint, cause });
  },
  openCheckpoint,
  openPrepared,
  memory: readProcessMemory,
  warn: (text) => process.emitWarning(text, "OpenFlamingoNotice"),
  openRuntime: (name, onNotice) => openRuntime(name, { onNotice }),
  async decodeImage(source, options) {
    const { decodeImage } = await import("../images/decode.node.js").catch((cause: unknown) => {
      // sharp's own words go on for a page; the first line says what is wrong.
      const [words] = String(cause instanceof Error ? cause.message : cause).split("\n");
      throw new OpenFlamingoError(
        "backend",
        `the package sharp, which decodes images, cannot be loaded: ${words}`,
        {
          hint: "Run npm install again with optional dependencies: its binaries come in one for each platform.",
          cause,
        },
      );
    });
    return decodeImage(source, {
      ...options,
      fetchImage: (url, { signal }) => fetchImage(url, { ...options, signal }),
    });
  },
};
