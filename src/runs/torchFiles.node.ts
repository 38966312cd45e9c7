/** What a checkpoint has for OpenFlamingo (Python) beside its own files. */
import type { TorchValue } from "../checkpoints/torch/writePickle.js";
import { torchFile } from "../checkpoints/writeTorch.node.js";
import { type TorchTraining, trainedPart, trainingCheckpoint } from "./torchCheckpoint.js";

/**
 * Files for `save`, by their names.
 *
 * @param what "model": `checkpoint.pt`, the trained part; "training": `checkpoint_EPOCH.pt`, which it resumes from
 */
export function torchFiles(
  what: "none" | "model" | "training",
  training: TorchTraining,
): ReadonlyMap<string, () => Iterable<Uint8Array>> {
  if (what === "none") return new Map();
  const [root, value]: [string, () => TorchValue] =
    what === "model"
      ? ["checkpoint", () => trainedPart(training.parameters)]
      : [`checkpoint_${training.epoch}`, () => trainingCheckpoint(training)];
  return new Map([[`${root}.pt`, () => torchFile(value(), root)]]);
}
