/** Rate and time left of long work, for a progress bar. */

/** Bytes in the largest unit of which there is one. */
export function shownBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** @returns what to show beside the bar: ` 1,200 of 5,000, 31/s, 2:02 left` */
export function createCountRate(now: () => number = Date.now): (done: number, total: number) => string {
  const shown = (count: number) => count.toLocaleString("en-US");
  return createRateOf(shown, (rate) => (rate < 10 ? rate.toFixed(1) : shown(Math.round(rate))), now);
}

/** @returns what to show beside the bar: ` 1.20 GB of 5.54 GB, 31.0 MB/s, 2:20 left` */
export function createRate(now: () => number = Date.now): (done: number, total: number) => string {
  return createRateOf(shownBytes, (rate) => shownBytes(Math.round(rate)), now);
}

function createRateOf(
  shown: (amount: number) => string,
  shownRate: (rate: number) => string,
  now: () => number,
) {
  let first: { at: number; done: number } | undefined;
  return (done: number, total: number): string => {
    first ??= { at: now(), done };
    const amount = ` ${shown(done)} of ${shown(total)}`;
    const seconds = (now() - first.at) / 1000;
    const rate = (done - first.done) / seconds;
    if (seconds < 1 || !(rate > 0)) return amount;
    const left = Math.ceil((total - done) / rate);
    const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    return `${amount}, ${shownRate(rate)}/s, ${clock} left`;
  };
}
