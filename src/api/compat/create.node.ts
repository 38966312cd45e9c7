/** The compatible API on Node. */
import { requireNode } from "../../base/nodeVersion.node.js";
import { node } from "../load.node.js";
import { type CreateOptions, createOnPlatform, type ModelAndTransforms } from "./create.js";

/**
 * Makes a model, its image processor and its tokenizer, with the reference implementation's names, shapes and defaults.
 * The model answers after `loadStateDict`. Paths are local; those that are given here may be links to anywhere, the
 * files in a given folder may not be links that leave it (but a snapshot of a hub cache may be given).
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
  return createOnPlatform(node, options);
}
