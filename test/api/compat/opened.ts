/** A tiny model opened by the compatible API, with its golden images as a tensor. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  createModelAndTransforms,
  type ModelAndTransforms,
  stack,
  type TensorData,
} from "../../../src/index.js";
import type { GoldenModel } from "../../tinyModel.js";

/** `cross_attn_every_n_layers` of each. */
const intervals = new Map([
  ["tiny-openflamingo-9b", 4],
  ["tiny-openflamingo-3b", 1],
  ["tiny-openflamingo-4b", 2],
]);

export interface OpenedTinyModel extends ModelAndTransforms {
  /** The golden images of each row by their names, rows filled up with zeros. */
  visionX(images: readonly (readonly string[])[]): Promise<TensorData>;
}

/** The tiny model without its trained weights. */
export const createTinyModel = ({ name, folder }: GoldenModel): Promise<ModelAndTransforms> => {
  const weights = readdirSync(join(folder, "clip")).find((file) =>
    file.startsWith("open_clip_pytorch_model"),
  )!;
  return createModelAndTransforms({
    clipVisionEncoderPath: join(folder, "clip"),
    clipVisionEncoderPretrained: join(folder, "clip", weights),
    langEncoderPath: join(folder, "lang"),
    tokenizerPath: join(folder, "lang"),
    crossAttnEveryNLayers: intervals.get(name)!,
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
