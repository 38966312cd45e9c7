/** Until when something is waited for: a number of seconds, or until the user gives up. */
import { onAbort } from "../base/abort.js";

export interface Deadline {
  /** Aborted, with the error to throw, when the time is over or the user gave up; also by `end`. */
  readonly signal: AbortSignal;
  /** Waits for what cannot be aborted itself. @throws the signal's reason once it is aborted */
  wait<T>(work: Promise<T>): Promise<T>;
  /** No more is waited for: what still runs under the signal is stopped. */
  end(): void;
}

/**
 * @param seconds more than 24 days are 24 days, the most that a timer takes
 * @param late the error for when the time is over
 * @throws the signal's reason, if it is aborted already
 */
export function startDeadline(
  seconds: number,
  { signal, late }: { readonly signal: AbortSignal | undefined; readonly late: () => Error },
): Deadline {
  signal?.throwIfAborted();
  const own = new AbortController();
  const stop = () => own.abort(signal?.reason);
  const timer = setTimeout(() => own.abort(late()), Math.min(1000 * seconds, 2 ** 31 - 1));
  const forget = onAbort(signal, stop); // many requests may share a signal
  return {
    signal: own.signal,
    wait: (work) =>
      new Promise((resolve, reject) => {
        const stopped = () => reject(own.signal.reason);
        own.signal.addEventListener("abort", stopped);
        work.then(resolve, reject).finally(() => own.signal.removeEventListener("abort", stopped));
      }),
    end() {
      clearTimeout(timer);
      forget();
      own.abort();
    },
  };
}
