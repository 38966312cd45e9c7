/** Opens what `openflamingo prepare` wrote: the index of the weights, and their file. */
import { createHash } from "node:crypto";
import { OpenFlamingoError } from "../base/errors.js";
import { type CheckOptions, requireChecked } from "./checkedWeights.node.js";
import { type Checkpoint, checkpointOf } from "./checkpoint.js";
import { openFile, readText } from "./file.node.js";
import { openInside } from "./insideFolder.node.js";
import { inside } from "./modelPath.js";
import { dataFile, indexFile, type PreparedIndex, parsePreparedIndex } from "./preparedIndex.js";
import { contiguousStrides, type TensorView } from "./view.js";

const hint = "The prepared folder is damaged: remove it, and prepare the model again.";

/**
 * @param sha256 of the index, as the folder's openflamingo.json says
 * @throws OpenFlamingoError `model-invalid` where index or weights are missing, or are not those that were written; the
 *   signal's reason
 */
export async function openPrepared(
  folder: string,
  sha256: string,
  options: CheckOptions = {},
): Promise<PreparedIndex> {
  const invalid = (what: string, cause?: unknown) =>
    new OpenFlamingoError("model-invalid", `${folder}: ${what}`, { hint, cause });
  const at = inside({ path: folder }, indexFile);
  const read = await readText(at, { signal: options.signal });
  if ("fault" in read) throw invalid(`${indexFile} ${read.fault}`, read.cause);
  if (createHash("sha256").update(read.text).digest("hex") !== sha256) {
    throw invalid(`${indexFile} is not the file that belongs to openflamingo.json`);
  }
  const index = parsePreparedIndex(read.text, at.path);
  const data = await openInside(inside({ path: folder }, dataFile));
  if ("fault" in data) throw invalid(`${dataFile} ${data.fault}`, data.cause);
  const { file, size } = data;
  try {
    if (size !== index.bytes) {
      throw invalid(`${dataFile} has ${size} bytes, and should have ${index.bytes}`);
    }
    await requireChecked({ folder, file, index, sha256 }, options);
  } finally {
    await file.close();
  }
  return index;
}

/**
 * The weights as a checkpoint, for those that cannot be mapped.
 *
 * @throws OpenFlamingoError `checkpoint-missing`
 */
export async function openPreparedWeights(folder: string, { tensors }: PreparedIndex): Promise<Checkpoint> {
  const source = await openFile(inside({ path: folder }, dataFile));
  const views = [...tensors].map(([name, { dtype, shape, offset }]): [string, TensorView] => {
    return [name, { dtype, shape, strides: contiguousStrides(shape), start: offset }];
  });
  return checkpointOf(source, new Map(views));
}
