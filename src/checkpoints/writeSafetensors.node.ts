/**
 * Writes a safetensors file of float32 tensors.
 *
 * Format: huggingface/safetensors, README, "Format": 8 bytes with the header's length, the header as JSON, the values.
 */
import { endianness } from "node:os";
import { bug } from "../base/errors.js";
import { writeWhole } from "../base/wholeFile.node.js";

export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * @param metadata texts by names, kept in the header
 * @throws OpenFlamingoError `disk`
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (endianness() !== "LE") throw bug("internal", `${path}: this machine's numbers are big-endian`);
  let end = 0;
  const entries = [...tensors].map(([name, { shape, data }]) => {
    const start = end;
    end += data.byteLength;
    return [name, { dtype: "F32", shape, data_offsets: [start, end] }] as const;
  });
  const header = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  // Filled up with spaces, so that the values begin at a multiple of eight bytes.
  const text = Buffer.from(header.padEnd(header.length + ((8 - (Buffer.byteLength(header) % 8)) % 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));

  await writeWhole(path, async (file) => {
    await file.writeFile(length);
    await file.writeFile(text);
    for (const { data } of tensors.values()) {
      await file.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });
}
