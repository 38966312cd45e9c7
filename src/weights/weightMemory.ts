/**
 * Memory for the weights of a model that is to stay: few large buffers, each for many tensors. Every new buffer of some
 * size makes the garbage collector look for old ones, and a model has hundreds of tensors.
 */
import { OpenFlamingoError } from "../base/errors.js";

/** Memory for a tensor of so many float32s. */
export type Allocate = (tensor: string, elements: number) => Float32Array;

/**
 * A buffer of its own.
 *
 * @throws OpenFlamingoError `memory`
 */
export const allocate: Allocate = (tensor, elements) => {
  try {
    return new Float32Array(elements);
  } catch (cause) {
    throw new OpenFlamingoError("memory", `no room for ${tensor}: ${4 * elements} bytes`, {
      hint: "Close other programs, or use a smaller model.",
      cause,
    });
  }
};

/** Float32s of a shared buffer: 256 MiB. What is not used of it takes no memory. */
const bufferLength = 2 ** 26;
/** Float32s to whose multiple a tensor begins: the 64 bytes of a line of the cache. */
const alignment = 16;

/** @param total how many float32s will be asked for in all, at most */
export function sharedMemory(total: number): Allocate {
  let left = total;
  let buffer: Float32Array = new Float32Array();
  return (tensor, elements) => {
    const length = alignment * Math.ceil(elements / alignment);
    if (buffer.length < length) buffer = allocate(tensor, Math.max(length, Math.min(left, bufferLength)));
    const memory = buffer.subarray(0, elements);
    buffer = buffer.subarray(length);
    left -= length;
    return memory;
  };
}
