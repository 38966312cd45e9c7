/** The compatible API on Node. */
import { OpenFlamingoError } from "../../base/errors.js";
import { requireNode } from "../../base/nodeVersion.node.js";
import { quoted } from "../../base/quoted.js";
import { clipFile } from "../../hub/clip.node.js";
import type { HubOptions } from "../../hub/hub.node.js";
import { fetchLanguageModel, fetchTokenizer } from "../../hub/languageModel.node.js";
import { type HubSettings, readHubSettings } from "../../hub/settings.node.js";
import { isHubName } from "../../released/releasedModels.node.js";
import { node } from "../platform.node.js";
import { readOptions } from "../readOptions.js";
import { type CreateOptions, createOnPlatform, createReaders, type ModelAndTransforms } from "./create.js";

/**
 * Makes a model, its image processor and its tokenizer, with the reference implementation's names, shapes and defaults.
 * The model answers after `loadStateDict`. Names on the hub are fetched where they are not at hand. Paths that are given
 * here may be links to anywhere, the files in a given folder may not be links that leave it (but a snapshot of a hub
 * cache may be given).
 *
 * @throws OpenFlamingoError `model-…`, `tokenizer-invalid`, `usage`; `checkpoint-…` for weights of CLIP or of the
 *   language model that are not there, or of no kind that is read
 * @example
 * const { model, imageProcessor, tokenizer } = await createModelAndTransforms({
 *   clipVisionEncoderPath: "ViT-L-14",
 *   clipVisionEncoderPretrained: "models/ViT-L-14.pt",
 *   langEncoderPath: "models/mpt-7b",
 *   tokenizerPath: "models/mpt-7b",
 *   crossAttnEveryNLayers: 4,
 * });
 * await model.loadStateDict("models/checkpoint.pt", { strict: false });
 */
export async function createModelAndTransforms(options: CreateOptions): Promise<ModelAndTransforms> {
  requireNode();
  readOptions("createModelAndTransforms", createReaders, options); // before anything is fetched
  requireVisionWeights(options);
  return createOnPlatform(node, await withLocalPaths(options));
}

const isOfOpenAi = (options: CreateOptions): boolean =>
  options.clipVisionEncoderPath === "ViT-L-14" && options.clipVisionEncoderPretrained === "openai";

/** @throws OpenFlamingoError `usage` for weights that open_clip knows by a name, and that are not fetched here */
function requireVisionWeights(options: CreateOptions): void {
  const { clipVisionEncoderPath: encoder, clipVisionEncoderPretrained: weights } = options;
  if (isOfOpenAi(options) || /[./\\]/.test(weights)) return;
  throw new OpenFlamingoError(
    "usage",
    `clipVisionEncoderPretrained is ${quoted(weights)} for ${quoted(encoder)}: the one name that is supported is "openai", for "ViT-L-14"`,
    { hint: "Fetch other weights by other means, and give the path of their file." },
  );
}

/** The same options with what they name on the hub fetched. */
async function withLocalPaths(options: CreateOptions): Promise<CreateOptions> {
  const { signal, onProgress, onNotice = node.warn } = options;
  let settings: HubSettings | undefined;
  const hub = async (): Promise<HubOptions> => {
    settings ??= await readHubSettings();
    return { settings, preferCache: true, signal, onProgress, onNotice };
  };
  const { langEncoderPath, tokenizerPath } = options;
  const at = (repository: string) => ({ repository, revision: "main" });
  const found: { -readonly [Key in keyof CreateOptions]?: CreateOptions[Key] } = {};
  if (await isHubName(langEncoderPath)) {
    found.langEncoderPath = (await fetchLanguageModel(at(langEncoderPath), await hub())).folder;
  }
  if (await isHubName(tokenizerPath)) {
    found.tokenizerPath = (await fetchTokenizer(at(tokenizerPath), await hub())).folder;
  }
  if (isOfOpenAi(options)) {
    found.clipVisionEncoderPretrained = (await clipFile(await hub())).path;
  }
  return { ...options, ...found };
}
