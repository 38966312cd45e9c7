/** How far work is, on standard error: one line that is written over on a terminal, and a line at the end elsewhere. */

/** Between two lines, in milliseconds. */
const pause = 500;

/** @returns to be called with what is done and what there is in all */
export function progressLine(what: string): (done: number, total: number) => void {
  const start = performance.now();
  let first: number | undefined;
  let last = Number.NEGATIVE_INFINITY;
  return (done, total) => {
    first ??= done - 1;
    const now = performance.now();
    const isEnd = done === total;
    if (!isEnd && (!process.stderr.isTTY || now - last < pause)) return;
    last = now;
    const rate = (1000 * (done - first)) / (now - start);
    const line = `${what}: ${done} of ${total}, ${rate.toFixed(rate < 10 ? 1 : 0)} a second`;
    process.stderr.write(process.stderr.isTTY ? `\r${line}\u001b[K${isEnd ? "\n" : ""}` : `${line}\n`);
  };
}
