/** Where the weights of a model's programs lie in a prepared folder. */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import { dataFile, type PreparedIndex } from "../checkpoints/preparedIndex.js";
import type { Compiled } from "../onnx/compile.js";
import type { Weight } from "../runtime/runtime.js";

/** @throws OpenFlamingoError `model-invalid` where one is missing or of another form */
export function preparedWeights(
  programs: readonly Compiled[],
  { tensors }: PreparedIndex,
  folder: string,
): ReadonlyMap<string, Weight> {
  const weights = new Map<string, Weight>();
  for (const { name, dtype, shape } of programs.flatMap((program) => program.weights)) {
    const found = tensors.get(name);
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
