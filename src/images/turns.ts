/**
 * Long work in steps, between which others have their turn: an image of the largest size takes seconds, and no
 * server may stand still for them.
 */

/** Work that stops after each few milliseconds of itself, and goes on when it is asked to. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Samples that a step may look at: 1 to 5 ms of work. */
export const samplesOfAStep = 2 ** 18;

/** All steps, one after the other. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * The steps, with a turn for others after every 10 ms.
 *
 * @throws the signal's reason, if it is aborted in between
 */
export async function inTurns<T>(steps: Steps<T>, signal: AbortSignal | undefined): Promise<T> {
  let start = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - start < 10) continue;
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    start = performance.now();
  }
}
