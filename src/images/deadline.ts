/** Work that has a time to be done in: an untrusted image may be made to take for ever. */
import { onAbort } from "../base/abort.js";

/**
 * Waits for `work` until its time is over or `signal` is aborted; then the work's own signal is aborted, and its
 * result no longer waited for.
 *
 * @param seconds more than 24 days are 24 days
 * @param late the error for when the time is over
 * @throws what `late` gives, the signal's reason, or what the work throws
 */
export async function within<T>(
  seconds: number,
  { signal, late }: { readonly signal: AbortSignal | undefined; readonly late: () => Error },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const own = new AbortController();
  const stop = () => own.abort(signal?.reason);
  const stopped = new Promise<never>((_, reject) => {
    own.signal.addEventListener("abort", () => reject(own.signal.reason));
  });
  const timer = setTimeout(() => own.abort(late()), Math.min(1000 * seconds, 2 ** 31 - 1));
  const stopListening = onAbort(signal, stop);
  try {
    return await Promise.race([work(own.signal), stopped]);
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}
