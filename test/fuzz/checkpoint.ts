/** How the kinds of checkpoints read an input: as one file in memory, every tensor of it. */
import { elementCount } from "../../src/base/dtypes.js";
import { defaultLimits, type ReaderLimits } from "../../src/checkpoints/limits.js";
import { openSource } from "../../src/checkpoints/openSource.js";
import { memoryFile } from "../checkpoints/assemble.js";

/** A tensor of few numbers may stand for many: here for fewer than elsewhere, as all are read. */
export const limits: ReaderLimits = { ...defaultLimits, repeatedElements: 2 ** 16 };

/** @param dataStart byte from which on the file holds nothing but tensors, where that is known */
export async function readFile(
  input: Uint8Array | string,
  signal: AbortSignal,
  dataStart = 0,
): Promise<void> {
  const source = memoryFile(input);
  let allowed = 0;
  const watched: typeof source = {
    ...source,
    read(offset, length) {
      if (offset < allowed) throw new Error(`a tensor was read from byte ${offset}, before ${allowed}`);
      return source.read(offset, length);
    },
  };
  await using checkpoint = await openSource(watched, { limits, signal }).catch((error: unknown) => {
    if (!watched.closed) throw new Error("a rejected file was left open", { cause: error });
    throw error;
  });
  allowed = dataStart;
  for (const [name, { shape }] of checkpoint.tensors) {
    await checkpoint.read(name, new Float32Array(elementCount(shape)), { signal });
  }
}

export const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
