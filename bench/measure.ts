/** Timing: several counted runs after a warm-up, and the machine that they ran on. */
import { cpus, totalmem } from "node:os";

/** Milliseconds of each of `runs` runs, after one that is not counted. */
export async function timed(run: () => unknown, runs: number): Promise<number[]> {
  await run();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
}

/** Writes a figure with its spread, e.g. `one image: 812 ms (790 to 901, 7 runs)`. */
export function report(what: string, times: readonly number[], unit = "ms", digits = 1): void {
  const [low, high] = [Math.min(...times), Math.max(...times)];
  const shown = (value: number) => value.toFixed(digits);
  console.log(
    `${what}: ${shown(median(times))} ${unit} (${shown(low)} to ${shown(high)}, ${times.length} runs)`,
  );
}

/** @param backend what computes, if anything does: a `Runtime` */
export function reportMachine(backend?: { readonly name: string; readonly version: string }): void {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  console.log(
    `${cpu?.model}, ${cpus().length} cores, ${memory} GiB; Node ${process.version}${backend ? `; ${backend.name} ${backend.version}` : ""}; ${new Date().toISOString().slice(0, 10)}`,
  );
}
