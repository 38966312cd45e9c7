/** A tiny model opened by the compatible API, with its golden images as a tensor. */
import { dirname, join } from "node:path";
import { readModelFolder, requireCheckpoints } from "../../../src/checkpoints/modelFolder.node.js";
import {
  createModelAndTransforms,
  type ModelAndTransforms,
  stack,
  type TensorData,
} from "../../../src/index.js";
import type { GoldenModel } from "../../tinyModel.js";

export interface OpenedTinyModel extends ModelAndTransforms {
  /** The golden images of each row by their names, rows filled up with zeros. */
  visionX(images: readonly (readonly string[])[]): Promise<TensorData>;
}

/** The tiny model without its trained weights. */
export const createTinyModel = async ({ folder }: GoldenModel): Promise<ModelAndTransforms> => {
  const { vision, flamingo } = requireCheckpoints(await readModelFolder(folder));
  return createModelAndTransforms({
    clipVisionEncoderPath: dirname(vision.config),
    clipVisionEncoderPretrained: vision.weights,
    langEncoderPath: join(folder, "lang"),
    tokenizerPath: join(folder, "lang"),
    crossAttnEveryNLayers: flamingo.crossAttentionEvery,
  });
};

export async function openTinyModelByName(golden: GoldenModel): Promise<OpenedTinyModel> {
  const created = await createTinyModel(golden);
  await created.model.loadStateDict(join(golden.folder, "checkpoint.pt"), { strict: false });
  const inputs = await golden.goldenTensors("inputs.safetensors");
  const visionX = (images: readonly (readonly string[])[]) =>
    stack(images.map((row) => row.map((image) => inputs.get(`pixels.${image}`)!)));
  return { ...created, visionX };
}
