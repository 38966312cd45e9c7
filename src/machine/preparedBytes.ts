/** How much room a released model's prepared folder takes, from its configuration alone: known before it is fetched. */
import { visionConfiguration } from "../models/configuration.js";
import { weightUses } from "../onnx/compile.js";
import type { HubModel } from "../released/releasedModels.node.js";
import { decodeGraph, encodeGraph, textFeaturesGraph } from "../runner/graphs.js";
import { liveName } from "../weights/clipNames.js";
import { stored } from "../weights/preparedWeights.js";
import { type FormatSettings, formatsOf, halvesOf } from "../weights/weightFormats.js";
import { givenBytes, inFormat } from "./forecast.js";

/** @returns bytes of the weights, those of CLIP's text tower among them, to a few MB */
export function preparedBytes(
  { name, config, visionJson }: Pick<HubModel, "name" | "config" | "visionJson">,
  format: FormatSettings,
): number {
  const { text } = visionConfiguration(name, visionJson);
  const texts = weightUses(textFeaturesGraph(text())).map((use) => ({
    ...{ ...use, name: liveName(use.name), tensor: liveName(use.tensor) },
  }));
  const plain = [...[encodeGraph(config), decodeGraph(config)].map(weightUses), texts];
  const isHalf = halvesOf(format);
  return givenBytes(
    inFormat(plain, formatsOf(format.weights, format)).map((uses) => uses.map((use) => stored(use, isHalf))),
  );
}
