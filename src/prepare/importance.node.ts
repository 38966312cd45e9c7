/**
 * Measures the importance of columns for a folder that is being prepared. The model in float32 may not fit in memory, so
 * it is written without calibration first, and reads the samples from there with its weights mapped: that takes the
 * memory and the disk that the prepared model will take.
 *
 * What was measured is kept until the folder is whole: interrupted, the preparation goes on with the same numbers.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { withClosing } from "../base/dispose.js";
import { elementCount } from "../base/dtypes.js";
import { openCheckpoint } from "../checkpoints/openCheckpoint.node.js";
import type { PreparedIndex } from "../checkpoints/preparedIndex.js";
import { writeSafetensors } from "../checkpoints/writeSafetensors.node.js";
import type { Importance } from "../weights/loadWeights.js";

/** What is below the folder while it is prepared, and not when it is whole. */
export const calibrationFolder = "calibration";

export interface Measured {
  readonly importance: Importance;
  /** Of the file in which it is kept. */
  readonly sha256: string;
}

/**
 * @param to the unfinished folder
 * @param key what the importance is made of: what was measured for another is not used
 * @param write writes the weights without calibration, or goes on to
 * @param measure reads the samples with these weights
 */
export async function importanceFor(
  to: string,
  key: string,
  write: (folder: string) => Promise<PreparedIndex>,
  measure: (index: PreparedIndex, folder: string) => Promise<Importance>,
): Promise<Measured> {
  const folder = join(to, calibrationFolder);
  const plain = join(folder, "plain");
  const file = join(folder, `${key}.safetensors`);
  const isMeasured = await stat(file).then(
    () => true,
    () => false,
  );
  if (!isMeasured) {
    await mkdir(plain, { recursive: true });
    const importance = await measure(await write(plain), plain);
    const tensors = [...importance].map(([name, data]) => [name, { shape: [data.length], data }] as const);
    await writeSafetensors(file, new Map(tensors)); // atomic
  }
  await rm(plain, { recursive: true, force: true });
  const sha256 = createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
  return { importance: await readImportance(file), sha256 };
}

const readImportance = (path: string): Promise<Importance> =>
  withClosing(async (closing) => {
    const checkpoint = closing(await openCheckpoint(path));
    const importance = new Map<string, Float32Array>();
    for (const [name, { shape }] of checkpoint.tensors) {
      const columns = new Float32Array(elementCount(shape));
      await checkpoint.read(name, columns);
      importance.set(name, columns);
    }
    return importance;
  });
