/** Checkpoints as plain tensors, to be changed and written again. */
import { openCheckpoint } from "../src/checkpoints/openCheckpoint.node.js";

export interface PlainTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** All tensors of a checkpoint, as float32. */
export async function tensorsOf(path: string): Promise<Map<string, PlainTensor>> {
  await using checkpoint = await openCheckpoint(path);
  const tensors = new Map<string, PlainTensor>();
  for (const [name, { shape }] of checkpoint.tensors) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    await checkpoint.read(name, data);
    tensors.set(name, { shape, data });
  }
  return tensors;
}

/** A safetensors file with these tensors. */
export function safetensors(tensors: ReadonlyMap<string, PlainTensor>): Uint8Array {
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...[...tensors.values()].map(({ data }) => Buffer.from(data.buffer))]);
}
