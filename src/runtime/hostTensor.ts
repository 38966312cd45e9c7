/** A tensor in the host's memory: what goes into a backend and what comes out of it. */
import { arrayTypes, bytesOf, type DType, type ElementsOf, elementCount } from "../base/dtypes.js";
import { OpenFlamingoError } from "../base/errors.js";

/** Elements in row-major order. `data` may be a view into a larger buffer, also into shared memory. */
export interface HostTensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: ElementsOf[D];
}

/**
 * A tensor of zeros in a buffer of its own.
 *
 * @throws OpenFlamingoError "memory" when there is no room for it
 */
export function zeros<D extends DType>(dtype: D, shape: readonly number[]): HostTensor<D> {
  const elements = elementCount(shape);
  try {
    return { dtype, shape, data: new arrayTypes[dtype](elements) };
  } catch (cause) {
    const message = `no room for ${elements * bytesOf[dtype]} bytes, a ${dtype} tensor [${shape.join(", ")}]`;
    const hint = "Use smaller batches, fewer images or a shorter prompt.";
    throw new OpenFlamingoError("memory", message, { hint, cause });
  }
}

/** What is wrong with a tensor in itself, in words; nothing for a sound one. */
export function faultOf({ dtype, shape, data }: HostTensor): string | undefined {
  const kind = data[Symbol.toStringTag]; // unlike instanceof, also right for arrays of another realm
  if (kind !== arrayTypes[dtype].name) return `is ${dtype} but its data is a ${kind}`;
  const elements = elementCount(shape);
  if (data.length === elements) return undefined;
  return `holds ${data.length} elements, its shape [${shape.join(", ")}] has ${elements}`;
}

/**
 * Rejects memory that may be gone while native code uses it, which would end the process: that of a buffer that can
 * change its size, and that of one which was transferred to another thread.
 *
 * @param what what the error calls it
 * @throws OpenFlamingoError "usage"
 */
export function requireFixedMemory(what: string, data: ArrayBufferView): void {
  if (!ArrayBuffer.isView(data)) return; // `faultOf` says so
  const buffer = data.buffer as ArrayBufferLike & {
    readonly resizable?: boolean;
    readonly growable?: boolean;
  };
  if (buffer.resizable || buffer.growable) {
    throw new OpenFlamingoError("usage", `${what} lies in a buffer whose size can change`, {
      hint: "Copy it to a buffer of its own, with slice(), or make the buffer without maxByteLength.",
    });
  }
  if (isDetached(buffer)) {
    throw new OpenFlamingoError("usage", `${what} lies in a buffer that was transferred elsewhere`, {
      hint: "Transfer a copy, made with slice(), and keep the buffer until the call has ended.",
    });
  }
}

/** Node 20 has no `ArrayBuffer.prototype.detached`. */
function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
