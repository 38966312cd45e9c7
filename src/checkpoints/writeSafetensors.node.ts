/**
 * Writes a safetensors file.
 *
 * Format: huggingface/safetensors, README, "Format": 8 bytes with the header's length, the header as JSON, the values.
 */
import { endianness } from "node:os";
import { bug } from "../base/errors.js";
import { writeWhole } from "../base/wholeFile.node.js";
import { bytesIn, dtypeOf, requireShape, type WrittenTensor, writtenBytes } from "./writtenTensor.js";

const typeNames = { float32: "F32", float16: "F16", bfloat16: "BF16", int64: "I64" } as const;

/**
 * Writes a file atomically, in a few MiB of memory beside the tensors.
 *
 * @param metadata texts by names, kept in the header
 * @throws OpenFlamingoError `disk`; `internal` for a tensor whose shape is not that of its numbers
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, WrittenTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeWhole(path, async (file) => {
    for (const piece of safetensorsFile(tensors, metadata)) await file.writeFile(piece);
  });
}

/** The bytes of the file. */
export function* safetensorsFile(
  tensors: ReadonlyMap<string, WrittenTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  if (endianness() !== "LE") throw bug("internal", "this machine's numbers are big-endian");
  let end = 0;
  const entries = [...tensors].map(([name, tensor]) => {
    requireShape(name, tensor);
    const start = end;
    end += writtenBytes(tensor);
    const entry = { dtype: typeNames[dtypeOf(tensor)], shape: tensor.shape, data_offsets: [start, end] };
    return [name, entry] as const;
  });
  const header = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  // Filled up with spaces, so that the values begin at a multiple of eight bytes.
  const text = Buffer.from(header.padEnd(header.length + ((8 - (Buffer.byteLength(header) % 8)) % 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  yield length;
  yield text;
  for (const tensor of tensors.values()) yield* bytesIn(tensor);
}
