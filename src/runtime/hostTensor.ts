/** A tensor in the host's memory: what goes into a backend and what comes out of it. */
import { bytesOf, type DType } from "../base/dtypes.js";
import { OpenFlamingoError } from "../base/errors.js";

/** The array that holds the elements of each type; halves are kept as their 16 bits. */
export interface ElementsOf {
  float64: Float64Array;
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

const arrays: { readonly [D in DType]: new (length: number) => ElementsOf[D] } = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Elements in row-major order. `data` may be a view into a larger buffer, also into shared memory. */
export interface HostTensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: ElementsOf[D];
}

/** The number of elements of a shape; 1 for a scalar. */
export const elementsOf = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

/**
 * A tensor of zeros in a buffer of its own.
 *
 * @throws OpenFlamingoError "memory" when there is no room for it
 */
export function zeros<D extends DType>(dtype: D, shape: readonly number[]): HostTensor<D> {
  const elements = elementsOf(shape);
  try {
    return { dtype, shape, data: new arrays[dtype](elements) };
  } catch (cause) {
    const message = `no room for ${elements * bytesOf[dtype]} bytes, a ${dtype} tensor [${shape.join(", ")}]`;
    const hint = "Use smaller batches, fewer images or a shorter prompt.";
    throw new OpenFlamingoError("memory", message, { hint, cause });
  }
}

/** What is wrong with a tensor in itself, in words; nothing for a sound one. */
export function faultOf({ dtype, shape, data }: HostTensor): string | undefined {
  const kind = data[Symbol.toStringTag]; // unlike instanceof, also right for arrays of another realm
  if (kind !== arrays[dtype].name) return `is ${dtype} but its data is a ${kind}`;
  const elements = elementsOf(shape);
  if (data.length === elements) return undefined;
  return `holds ${data.length} elements, its shape [${shape.join(", ")}] has ${elements}`;
}
