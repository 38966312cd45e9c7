/** How many threads work on one run. */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";

/** More than any machine has cores; each thread that is asked for is started and has a stack. */
export const mostThreads = 1024;

/**
 * Checks a number of threads that a caller gave; undefined is for the default.
 *
 * @throws OpenFlamingoError "usage" for anything but an integer from 1 to `mostThreads`
 */
export function requireThreads(threads: unknown): asserts threads is number | undefined {
  if (threads === undefined) return;
  if (Number.isInteger(threads) && Number(threads) >= 1 && Number(threads) <= mostThreads) return;
  throw new OpenFlamingoError(
    "usage",
    `threads is ${quoted(threads)}; it must be an integer from 1 to ${mostThreads}`,
    { hint: "Leave it out to use every core." },
  );
}
