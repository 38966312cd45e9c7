/** The bytes of a stream, as far as they are allowed. */
import { bytesIn } from "./memory.js";

/** Why a stream gave no file. */
export type StreamFault = "in use" | "not bytes" | "too large" | "failed";

/**
 * Reads a stream to its end. What is not read to the end is cancelled, so that nothing goes on sending.
 *
 * @param fail makes the error of a fault
 * @throws what `fail` makes; the signal's reason
 */
export async function readStream(
  stream: ReadableStream<unknown>,
  {
    maxBytes,
    signal,
    fail,
  }: {
    readonly maxBytes: number;
    readonly signal: AbortSignal | undefined;
    readonly fail: (fault: StreamFault, cause?: unknown) => Error;
  },
): Promise<Uint8Array> {
  if (stream.locked) throw fail("in use");
  const reader = stream.getReader();
  const cancel = (reason: unknown) => void reader.cancel(reason).catch(() => undefined);
  const stop = () => cancel(signal?.reason);
  signal?.addEventListener("abort", stop);
  let file = new Uint8Array(2 ** 16);
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        signal?.throwIfAborted();
        throw fail("failed", cause);
      });
      signal?.throwIfAborted();
      if (done) return file.subarray(0, size);
      const part = bytesIn(value);
      if (!part) throw fail("not bytes");
      if (size + part.length > maxBytes) throw fail("too large");
      if (size + part.length > file.length) {
        const longer = new Uint8Array(Math.max(size + part.length, 2 * file.length));
        longer.set(file.subarray(0, size));
        file = longer;
      }
      file.set(part, size);
      size += part.length;
    }
  } catch (error) {
    cancel(error);
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    reader.releaseLock();
  }
}
