/** Weights that were trained before, in memory. */
import { elementCount } from "../../../src/base/dtypes.js";
import { openCheckpoint } from "../../../src/checkpoints/openCheckpoint.node.js";
import type { FloatTensor, FloatTensors } from "../../../src/runs/runState.js";
import type { Initial } from "./initialTower.js";

/**
 * All tensors of a checkpoint, by their names.
 *
 * @throws OpenFlamingoError "checkpoint-…" for a file that cannot be read
 */
export async function readTensors(path: string): Promise<FloatTensors> {
  await using checkpoint = await openCheckpoint(path);
  const tensors = new Map<string, FloatTensor>();
  for (const [name, { shape }] of checkpoint.tensors) {
    const data = new Float32Array(elementCount(shape));
    await checkpoint.read(name, data);
    tensors.set(name, { shape, data });
  }
  return tensors;
}

/** A start from them; what they lack, as the heads that aid a training, begins as `otherwise` says. */
export const startFrom =
  (tensors: FloatTensors, otherwise: Initial): Initial =>
  (name, shape) =>
    tensors.get(name)?.data ?? otherwise(name, shape);
