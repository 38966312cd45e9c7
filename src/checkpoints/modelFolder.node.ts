/** A model folder on disk: its `openflamingo.json`, with every path found. Contract: "openflamingo.json". */
import { basename, join, resolve } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import { readText } from "./file.node.js";
import { type Fault, findInside, kindFault } from "./insideFolder.node.js";
import { listed } from "./messages.js";
import { type ModelDescription, type PreparedDescription, parseModelDescription } from "./modelFolder.js";
import { inside } from "./modelPath.js";

/** A description whose paths are absolute, exist, and lie in the folder. */
export interface ModelFolder extends ModelDescription {
  /** Absolute. */
  readonly folder: string;
}
/** The same of a folder that was prepared. */
export interface PreparedFolder extends PreparedDescription {
  readonly folder: string;
}

const fileName = "openflamingo.json";

/**
 * Reads the description of the model in `folder`; its weights are not opened.
 *
 * @param settings `mayLackCheckpoint`: the connectors are yet to be trained, and their file need not be there
 * @throws OpenFlamingoError "model-missing" where there is no folder; "model-invalid" or "model-unsupported"
 * with all that is wrong in its openflamingo.json
 */
export async function readModelFolder(
  folder: string,
  signal?: AbortSignal,
  { mayLackCheckpoint = false }: { readonly mayLackCheckpoint?: boolean } = {},
): Promise<ModelFolder | PreparedFolder> {
  const invalid = (what: string, hint: string, cause?: unknown) =>
    new OpenFlamingoError("model-invalid", `${folder}: ${what}`, { hint, cause });
  const found = await findInside({ path: folder });
  if ("fault" in found || !found.stats.isDirectory()) {
    const { fault, absent, cause }: Partial<Fault> = "fault" in found ? found : { fault: "is not a folder" };
    const hint = `A model is a folder with an ${fileName}, or the name of a released one, such as openflamingo/OpenFlamingo-9B-vitl-mpt7b.`;
    const what = absent ? "there is no such folder" : fault;
    throw new OpenFlamingoError("model-missing", `${folder}: ${what}`, { hint, cause });
  }
  const root = resolve(folder);
  const file = inside({ path: root }, fileName);
  const read = await readText(file, { signal });
  if ("fault" in read) {
    const fits = read.absent && `Put this file there, with what fits this model:\n${await suggestion(root)}`;
    throw invalid(`${fileName} ${read.fault}`, fits || read.hint, read.cause);
  }
  const description = parseModelDescription(read.text, file.path);

  const faults: string[] = [];
  const hints = new Set<string>();
  const find = async (key: string, path: string): Promise<string> => {
    const at = { folder: root, path: join(root, path) };
    const found = await findInside(at);
    const mayBeFolder = /weights|checkpoint/.test(key) && "real" in found && found.stats.isDirectory();
    const fault = "fault" in found ? found : mayBeFolder ? undefined : kindFault(found.stats);
    if (fault) {
      faults.push(`${key} ${quoted(path)} ${fault.fault}`);
      hints.add(fault.absent ? "Is the folder whole? Paths are relative to it." : fault.hint);
    }
    return at.path;
  };
  const missing = mayLackCheckpoint ? (path: string) => join(root, path) : undefined;
  const { card } = description;
  const configs = {
    vision: { config: await find("vision.config", description.vision.config) },
    language: {
      config: await find("language.config", description.language.config),
      tokenizer: await find("language.tokenizer", description.language.tokenizer),
    },
    ...(card === undefined ? {} : { card: await find("card", card) }),
  };
  const model: ModelFolder | PreparedFolder =
    "prepared" in description
      ? { ...description, folder: root, ...configs }
      : {
          ...description,
          folder: root,
          ...configs,
          ...(await findWeights(description, configs, { find, missing })),
        };
  if (faults.length > 0) {
    throw invalid(`${fileName}: ${listed(faults, "; ")}`, [...hints].join(" "));
  }
  return model;
}

/** @throws OpenFlamingoError "model-unsupported" for a folder that was prepared: it has no checkpoints any more */
export function requireCheckpoints(model: ModelFolder | PreparedFolder): ModelFolder {
  if (!("prepared" in model)) return model;
  const what = `${model.folder}: was prepared already, as ${model.prepared.weights}`;
  throw new OpenFlamingoError("model-unsupported", what, {
    hint: "Give the folder with the checkpoints that it was made of.",
  });
}

/** The checkpoints of a description, found. */
async function findWeights(
  { vision, language, flamingo }: ModelDescription,
  found: Pick<PreparedDescription, "vision" | "language">,
  {
    find,
    missing,
  }: {
    readonly find: (key: string, path: string) => Promise<string>;
    /** Where what need not be there is to come. */
    readonly missing: ((path: string) => string) | undefined;
  },
) {
  return {
    vision: { ...found.vision, weights: await find("vision.weights", vision.weights) },
    language: { ...found.language, weights: await find("language.weights", language.weights) },
    flamingo: {
      ...flamingo,
      checkpoint: missing?.(flamingo.checkpoint) ?? (await find("flamingo.checkpoint", flamingo.checkpoint)),
    },
  };
}

/** An openflamingo.json for a folder that has none: the hub's names for what is there. */
async function suggestion(folder: string): Promise<string> {
  const first = async (...names: [string, ...string[]]): Promise<string> => {
    for (const name of names) if ("real" in (await findInside(inside({ path: folder }, name)))) return name;
    return names[0];
  };
  const name = basename(folder);
  const description = {
    format: "openflamingo-model",
    version: 1,
    name,
    words: "trained",
    vision: {
      config: await first("clip/open_clip_config.json", "open_clip_config.json"),
      weights: await first(
        "clip/open_clip_pytorch_model.bin",
        "clip/open_clip_pytorch_model.pt",
        "clip/open_clip_model.safetensors",
      ),
    },
    language: { config: "lang/config.json", weights: "lang", tokenizer: "lang/tokenizer.json" },
    flamingo: {
      checkpoint: "checkpoint.pt",
      crossAttentionEvery: /9b/i.test(name) ? 4 : /4b/i.test(name) ? 2 : 1, // as in the released models
    },
  };
  return JSON.stringify(description, null, 2);
}
