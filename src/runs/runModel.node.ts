/**
 * The model of a run. A run folder is a model folder: its `openflamingo.json` names the newest checkpoint, and the files
 * of the frozen parts, which lie in the run folder as well: weights as hard links to those of the base model, or copies
 * where the disk has no links or is another.
 *
 * Contract: "openflamingo.json" (paths stay inside the folder; no key names another one).
 */
import { constants, createReadStream, createWriteStream } from "node:fs";
import { copyFile, link, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { OpenFlamingoError } from "../base/errors.js";
import type { JsonObject } from "../base/json.js";
import { diskError, writeWhole } from "../base/wholeFile.node.js";
import { findInside } from "../checkpoints/insideFolder.node.js";
import { type ModelDescription, parseModelDescription } from "../checkpoints/modelFolder.js";
import { beside, inside, type ModelPath } from "../checkpoints/modelPath.js";
import { type OpenableModel, pathsOf } from "../checkpoints/openableModel.js";
import { filesOf } from "../checkpoints/openCheckpoint.node.js";
import { isFileName } from "./manifest.js";

/** Where in the run folder the frozen parts are. */
export const baseFolder = "model";

export interface LinkOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once where weights are copied, as the disk has no links or is another. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/**
 * Puts the frozen parts of the base model into the run folder.
 *
 * @returns the description of the run's model; its checkpoint is to be filled in
 * @throws OpenFlamingoError `model-missing` where a file of the base model is not there; `checkpoint-…`; `disk`; the
 *   signal's reason
 */
export async function linkBaseModel(
  run: string,
  model: OpenableModel,
  { signal, onNotice }: LinkOptions = {},
): Promise<ModelDescription> {
  const root = join(run, baseFolder);
  const at = pathsOf(model);
  let copied = false;
  const place = (name: string) => `${baseFolder}/${name}`;
  const put = async (from: ModelPath, name: string, how: "link" | "copy"): Promise<string> => {
    signal?.throwIfAborted();
    const real = await realPath(from);
    const to = join(run, place(name));
    await mkdir(dirname(to), { recursive: true });
    if (how === "link" && (await isLinked(real, to))) return place(name);
    if (how === "link" && !copied) {
      copied = true;
      onNotice?.(`the weights of ${model.name} are copied to ${root}, as they cannot be linked there`);
    }
    await copy(real, to, signal);
    return place(name);
  };
  try {
    await rm(root, { recursive: true, force: true }); // of a creation that was killed
    const visionConfig = at("vision", model.vision.config);
    const tokenizer = at("language", model.language.tokenizer);
    const config = place("clip/open_clip_config.json");
    if (model.visionJson === undefined) await put(visionConfig, "clip/open_clip_config.json", "copy");
    else {
      await mkdir(join(root, "clip"), { recursive: true });
      await writeFile(join(run, config), `${JSON.stringify(model.visionJson, null, 2)}\n`);
    }
    const ifThere = async (from: ModelPath, name: string) => {
      if ("real" in (await findInside(from))) await put(from, name, "copy");
    };
    await ifThere(model.clipTokenizer ?? beside(visionConfig, "tokenizer.json"), "clip/tokenizer.json");
    for (const name of ["special_tokens_map.json", "tokenizer_config.json"]) {
      await ifThere(beside(tokenizer, name), `lang/${name}`);
    }
    const { name, licence, prompt, generation } = model;
    return {
      ...{ name: `${name} (trained)`, words: "trained", licence, prompt, generation },
      vision: { config, weights: await putWeights(at("vision", model.vision.weights), "clip", put) },
      language: {
        config: await put(at("language", model.language.config), "lang/config.json", "copy"),
        weights: await putWeights(at("language", model.language.weights), "lang", put),
        tokenizer: await put(tokenizer, "lang/tokenizer.json", "copy"),
      },
      flamingo: { checkpoint: "", crossAttentionEvery: model.flamingo.crossAttentionEvery },
    };
  } catch (error) {
    throw diskError(root, error);
  }
}

type Put = (from: ModelPath, name: string, how: "link" | "copy") => Promise<string>;

/** A file of weights; or a folder of them, in which only those are taken that would be opened. */
async function putWeights(from: ModelPath, folder: string, put: Put): Promise<string> {
  const found = await findInside(from);
  if (!("real" in found) || !found.stats.isDirectory()) {
    const name = basename(from.path);
    // Its kind is known by its content: what it is called does not matter.
    return put(from, `${folder}/${isFileName(name) ? name : "weights"}`, "link");
  }
  const at = { ...from, folder: from.folder ?? from.path };
  for (const name of await filesOf(at)) {
    await put(inside(at, name), `${folder}/weights/${name}`, name.endsWith(".json") ? "copy" : "link");
  }
  return `${baseFolder}/${folder}/weights`;
}

async function realPath(from: ModelPath): Promise<string> {
  const found = await findInside(from);
  if ("real" in found) return found.real;
  throw new OpenFlamingoError("model-missing", `${from.path}: ${found.fault}`, {
    hint: "The base model of a run is a folder with all its files, or a released model by its name.",
    cause: found.cause,
  });
}

/** Links are not there on every disk, nor from one to another, and some files may not be linked. */
const isLinked = (from: string, to: string): Promise<boolean> =>
  link(from, to).then(
    () => true,
    () => false,
  );

/** By reference, where the disk can do that; otherwise byte by byte, which a signal stops. */
async function copy(from: string, to: string, signal: AbortSignal | undefined): Promise<void> {
  const isCloned = await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE).then(
    () => true,
    () => false,
  );
  if (!isCloned) await pipeline(createReadStream(from), createWriteStream(to), { signal });
}

/** Writes the run's `openflamingo.json`: its model, with this file as the trained part. */
export async function describeRunModel(
  run: string,
  model: ModelDescription,
  checkpoint: string,
): Promise<void> {
  const { name, words, licence, prompt, generation, vision, language, flamingo } = model;
  const json = {
    ...{
      format: "openflamingo-model",
      version: 1,
      name,
      words,
      licence,
      prompt,
      generation,
      vision,
      language,
    },
    flamingo: { ...flamingo, checkpoint },
  };
  const text = `${JSON.stringify(json, null, 2)}\n`;
  await writeWhole(join(run, "openflamingo.json"), (file) => file.writeFile(text));
}

/** A description as a run keeps it; its checkpoint is any. */
export const showRunModel = (model: ModelDescription): JsonObject => ({
  ...{ format: "openflamingo-model", version: 1, ...model },
  flamingo: { ...model.flamingo, checkpoint: "checkpoints" },
});

/** @param file what messages call it */
export function readRunModel(
  model: JsonObject,
  file: string,
  fail: (what: string) => Error,
): ModelDescription {
  const description = parseModelDescription(JSON.stringify(model), file);
  if ("prepared" in description) throw fail("describes a model without checkpoints");
  return description;
}
