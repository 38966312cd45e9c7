/** The weights of a model's programs in a prepared folder: where they lie, to be mapped, or in float16, to be read. */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import { dataFile, type PreparedIndex } from "../checkpoints/preparedIndex.js";
import type { WeightUse } from "../onnx/compile.js";
import type { FileTensor } from "../runtime/runtime.js";
import { liveName, type Tower } from "./clipNames.js";
import type { IsHalf } from "./weightFormats.js";

/** A weight as it lies in the folder. */
export const stored = (use: WeightUse, isHalf: IsHalf): WeightUse =>
  isHalf?.(liveName(use.tensor)) ? { ...use, dtype: "float16" } : use;

/**
 * @param nameOf what the folder calls a weight
 * @param isHalf which tensors it has in float16; none when left out
 * @throws OpenFlamingoError `model-invalid` where one is missing or of another form
 */
export function preparedWeights(
  uses: readonly WeightUse[],
  { tensors }: PreparedIndex,
  folder: string,
  { nameOf = (name: string) => name, isHalf }: { nameOf?: (name: string) => string; isHalf?: IsHalf } = {},
): ReadonlyMap<string, FileTensor> {
  const weights = new Map<string, FileTensor>();
  for (const use of uses) {
    const { name, dtype, shape } = stored(use, isHalf);
    const found = tensors.get(nameOf(name));
    if (found?.dtype !== dtype || found.shape.join() !== shape.join()) {
      const given = found ? `${found.dtype} [${found.shape}]` : "not there";
      const what = `${folder}: ${quoted(name)} should be ${dtype} [${shape}] and is ${given}`;
      throw new OpenFlamingoError("model-invalid", what, {
        hint: "The folder was prepared by another version of this program: remove it, and prepare the model again.",
      });
    }
    weights.set(name, { dtype, shape, folder, file: dataFile, offset: found.offset });
  }
  return weights;
}

/** @throws OpenFlamingoError `model-unsupported` where the folder was prepared without this tower of CLIP */
export function requireTower(
  tower: Tower,
  uses: readonly WeightUse[],
  { tensors }: PreparedIndex,
  folder: string,
): void {
  if (uses.every(({ name }) => tensors.has(liveName(name)))) return;
  const what = `${folder}: was prepared from a checkpoint without the whole of CLIP's ${tower} tower`;
  throw new OpenFlamingoError("model-unsupported", what, {
    hint: "Prepare the model again, with CLIP as open_clip and OpenAI publish it.",
  });
}
