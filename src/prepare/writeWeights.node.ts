/**
 * Writes the weights of a prepared folder, one tensor of the checkpoints after the other, so that no more than one is
 * in memory. Whatever ends the process, it goes on where it was: each weight that is whole has a line in a journal, with
 * the checksum of its bytes.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { toHalves } from "../base/float16.js";
import { hashOf } from "../checkpoints/checkedWeights.node.js";
import {
  alignmentOf,
  byteLengthOf,
  dataFile,
  type PreparedIndex,
  type PreparedTensor,
} from "../checkpoints/preparedIndex.js";
import type { WeightUse } from "../onnx/compile.js";
import type { HostTensor } from "../runtime/hostTensor.js";
import { eachTensor, type FoundWeight, type ReadOptions, type ReadTensor } from "../weights/loadWeights.js";
import { type Journal, openJournal } from "./journal.node.js";

export interface WriteOptions extends ReadOptions {
  /** What the weights are made of and how: a journal of another is not continued. */
  readonly key: string;
  /** Compares a product with the weights of a tensor with that of its numbers, before they are written. */
  readonly check: (read: ReadTensor) => Promise<void>;
}

/**
 * @param folder an existing folder that holds nothing else
 * @param found where the tensors of all uses are
 * @throws OpenFlamingoError what reading a checkpoint throws; `disk`
 */
export async function writeWeights(
  folder: string,
  uses: readonly WeightUse[],
  found: ReadonlyMap<string, FoundWeight>,
  { key, check, ...options }: WriteOptions,
): Promise<PreparedIndex> {
  const data = await open(join(folder, dataFile), "a+").then(async (made) => {
    await made.close();
    return open(join(folder, dataFile), "r+");
  });
  let journal: Journal | undefined;
  try {
    journal = await openJournal(folder, key);
    const tensors = await soundPart(data, journal.tensors);
    await journal.keep(tensors.size);
    await data.truncate(endOf(tensors)); // what is behind, and may show between weights, is of another run
    const missing = new Set(uses.flatMap(({ name, tensor }) => (tensors.has(name) ? [] : [tensor])));
    const left = new Map([...found].filter(([tensor]) => missing.has(tensor)));
    for await (const read of eachTensor(uses, left, options)) {
      await check(read);
      const isHalf = options.isHalf?.(read.tensor) ?? false;
      for (const [{ name }, weight] of read.made) {
        if (tensors.has(name)) continue;
        const tensor = await append(data, endOf(tensors), name, isHalf ? inHalves(weight) : weight);
        await journal.add(tensor);
        tensors.set(name, tensor);
      }
    }
    await data.sync();
    return { bytes: endOf(tensors), tensors };
  } finally {
    await journal?.close();
    await data.close();
  }
}

/** Numbers that were rounded to float16. */
const inHalves = ({ shape, data }: HostTensor): HostTensor => ({
  ...{ dtype: "float16", shape, data: toHalves(data as Float32Array) },
});

const endOf = (tensors: ReadonlyMap<string, PreparedTensor>): number =>
  [...tensors.values()].reduce((end, tensor) => Math.max(end, tensor.offset + byteLengthOf(tensor)), 0);

/** Bytes that are hashed and written at a time. */
const pieceBytes = 2 ** 22;

async function append(
  data: FileHandle,
  end: number,
  name: string,
  weight: HostTensor,
): Promise<PreparedTensor> {
  const { dtype, shape } = weight;
  const { buffer, byteOffset, byteLength } = weight.data;
  const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  const alignment = alignmentOf(bytes.length);
  const offset = alignment * Math.ceil(end / alignment);
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    const written = writeAll(data, piece, offset + at);
    hash.update(piece); // meanwhile
    await written;
  }
  return { name, dtype, shape, offset, sha256: hash.digest("hex") };
}

async function writeAll(data: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await data.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
  }
}

/** The first tensors of the journal whose bytes are what it says. */
async function soundPart(
  data: FileHandle,
  tensors: readonly PreparedTensor[],
): Promise<Map<string, PreparedTensor>> {
  const sound = new Map<string, PreparedTensor>();
  const { size } = await data.stat();
  for (const tensor of tensors) {
    if (tensor.offset + byteLengthOf(tensor) > size) return sound;
    if ((await hashOf(data, tensor)) !== tensor.sha256) return sound;
    sound.set(tensor.name, tensor);
  }
  return sound;
}
