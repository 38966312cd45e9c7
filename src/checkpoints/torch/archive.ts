/**
 * torch's zip archive: `<name>/data.pkl` describes the tensors, `<name>/data/<key>` are their storages,
 * uncompressed.
 *
 * Reference: torch/serialization.py, `_save`, and caffe2/serialize/inline_container.cc. A TorchScript archive
 * has the same parts; its `code/` is never looked at.
 */
import { bytesOf, type DType, elementCount } from "../../base/dtypes.js";
import { quoted } from "../../base/quoted.js";
import { type Checkpoint, checkpointOf } from "../checkpoint.js";
import { defaultLimits, type OpenOptions } from "../limits.js";
import { damaged, rejected } from "../messages.js";
import { type ByteSource, utf8 } from "../source.js";
import type { TensorView } from "../view.js";
import { unpickle } from "./pickle.js";
import { stateDictIn } from "./stateDict.js";
import { readEntry, readZip, requireReadable } from "./zip.js";

/**
 * Opens a torch archive; closing the checkpoint closes `source`.
 *
 * @throws OpenFlamingoError "checkpoint-damaged" where parts of the file disagree, "checkpoint-rejected" where
 * its pickle would import or call something, or the archive is of a kind that is not read
 */
export async function openTorchZip(source: ByteSource, options: OpenOptions = {}): Promise<Checkpoint> {
  const limits = options.limits ?? defaultLimits;
  const entries = await readZip(source, options);
  const pickles = [...entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1) {
    const what = `is a zip archive with ${pickles.length} files <name>/data.pkl, where torch's have one`;
    throw rejected(source.name, what, "Is it a checkpoint?");
  }
  const root = pickle.name.slice(0, -"data.pkl".length);
  const byteOrder = entries.get(`${root}byteorder`);
  if (byteOrder && utf8(await readEntry(source, byteOrder, 16)) !== "little") {
    throw rejected(source.name, "holds big-endian numbers", "Save it again on a little-endian machine.");
  }

  const value = unpickle(
    await readEntry(source, pickle, limits.pickleBytes),
    `${source.name}: data.pkl`,
    limits,
  );
  const views = new Map<string, TensorView>();
  const types = new Map<string, DType>(); // of storages
  for (const [name, { storage, offset, shape, strides }] of stateDictIn(value, source.name)) {
    const { key, dtype, size } = storage;
    const entry = entries.get(`${root}data/${key}`);
    const what = `the storage ${quoted(key)} of ${quoted(name)}`;
    if (entry === undefined) throw damaged(source.name, `${what} is not in the archive`);
    requireReadable(source, entry);
    if (Math.floor(entry.size / bytesOf[dtype]) !== size) {
      throw damaged(source.name, `${what} should hold ${size} of ${dtype}, and is ${entry.size} bytes long`);
    }
    const first = types.get(key) ?? dtype;
    if (first !== dtype) throw damaged(source.name, `${what} is ${first} for another tensor, here ${dtype}`);
    types.set(key, dtype);
    const count = elementCount(shape);
    if (count > Math.max(size, limits.repeatedElements)) {
      const repeats = `${quoted(name)} makes ${count} elements out of ${size}`;
      const hint = "Save it as a tensor of its own: tensor.clone().";
      throw rejected(source.name, `${repeats}; at most ${limits.repeatedElements} may repeat`, hint);
    }
    views.set(name, { dtype, shape, strides, start: entry.start + offset * bytesOf[dtype] });
  }
  return checkpointOf(source, views);
}
