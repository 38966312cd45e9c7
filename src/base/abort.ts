/** Doing something when a signal is aborted. */

/** What waits for each signal. A signal that is in here has one listener. */
const waiting = new WeakMap<
  AbortSignal,
  { readonly actions: Set<() => void>; readonly listener: () => void }
>();

/**
 * Calls `action` once when the signal is aborted; never if it was aborted before. However many actions wait for one
 * signal, it has one listener: a signal may well be shared by many calls, and Node warns of a leak at the eleventh.
 *
 * @returns takes the action away; harmless when repeated
 */
export function onAbort(signal: AbortSignal | undefined, action: () => void): () => void {
  if (signal === undefined || signal.aborted) return () => {};
  const { actions, listener } = waiting.get(signal) ?? listen(signal);
  const own = () => action(); // the same action may wait twice
  actions.add(own);
  return () => {
    if (!actions.delete(own) || actions.size > 0 || waiting.get(signal)?.actions !== actions) return;
    // A signal with a listener is kept alive by what could still abort it, such as a timer.
    waiting.delete(signal);
    signal.removeEventListener("abort", listener);
  };
}

function listen(signal: AbortSignal) {
  const actions = new Set<() => void>();
  const listener = () => {
    waiting.delete(signal);
    for (const action of actions) action();
  };
  const listening = { actions, listener };
  waiting.set(signal, listening);
  signal.addEventListener("abort", listener, { once: true });
  return listening;
}
