/**
 * The driver: makes inputs of a kind, has them read, and notes what came of it. An input is sound when it is read, or
 * rejected by an OpenFlamingoError that is no bug of ours; when it is done in time; and when it leaves no memory
 * behind.
 */
import { OpenFlamingoError } from "../../src/base/errors.js";
import { type FuzzKind, randomOf } from "./kind.js";

export interface FuzzOptions {
  readonly seed: number;
  /** The number of the first input. */
  readonly first?: number;
  readonly count: number;
  /** Seconds that one input may take. */
  readonly limit?: number;
  /** Told before each input is read. */
  readonly onInput?: (input: number) => void;
}

export interface FuzzReport {
  readonly kind: string;
  readonly seed: number;
  readonly inputs: number;
  readonly seconds: number;
  /** How often inputs were `read`, or rejected by each code. */
  readonly outcomes: Record<string, number>;
  readonly failures: readonly FuzzFailure[];
  readonly slowest: { readonly input: number; readonly seconds: number };
  /** MiB of the process that came on top while inputs were read, at most. */
  readonly memory: number;
  /** MiB of the heap that the inputs have left behind; none without `--expose-gc`. */
  readonly left: number | undefined;
}

export interface FuzzFailure {
  readonly input: number;
  readonly what: string;
}

const MiB = 2 ** 20;

/** The bytes of input number `input`. */
export function inputOf(kind: FuzzKind, seed: number, input: number): Uint8Array {
  const random = randomOf(kind.name, seed, input);
  return kind.mutate(random, random.pick(kind.seeds()));
}

export async function fuzz(
  kind: FuzzKind,
  { seed, first = 0, count, limit = 5, onInput }: FuzzOptions,
): Promise<FuzzReport> {
  const outcomes: Record<string, number> = {};
  const failures: FuzzFailure[] = [];
  let slowest = { input: first, seconds: 0 };
  const heap = () => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  let [before, most, heapBefore] = [process.memoryUsage.rss(), 0, heap()];
  const started = performance.now();
  for (let input = first; input < first + count; input++) {
    // The first inputs have code compiled and tables filled, which stays.
    if (input === first + 100) [before, most, heapBefore] = [process.memoryUsage.rss(), 0, heap()];
    onInput?.(input);
    const bytes = inputOf(kind, seed, input);
    const start = performance.now();
    const { outcome, fault } = await outcomeOf(kind, bytes, limit);
    const seconds = (performance.now() - start) / 1000;
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (fault !== undefined) failures.push({ input, what: fault });
    else if (seconds > limit) failures.push({ input, what: `took ${seconds.toFixed(1)} s` });
    if (seconds > slowest.seconds) slowest = { input, seconds };
    most = Math.max(most, process.memoryUsage.rss());
  }
  return {
    kind: kind.name,
    seed,
    inputs: count,
    seconds: (performance.now() - started) / 1000,
    outcomes,
    failures,
    slowest,
    memory: Math.max(0, most - before) / MiB,
    left: globalThis.gc && (heap() - heapBefore) / MiB,
  };
}

/** What comes of one input, and what is wrong with that. */
async function outcomeOf(
  kind: FuzzKind,
  bytes: Uint8Array,
  limit: number,
): Promise<{ outcome: string; fault?: string }> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), 1000 * limit);
  // A reader that waits for something that does not come need not look at its signal.
  const waited = new Promise<never>((_, reject) => {
    late.signal.addEventListener("abort", () => reject(new Error(`took longer than ${limit} s`)));
  });
  try {
    await Promise.race([kind.run(bytes, late.signal), waited]);
    return { outcome: "read" };
  } catch (error) {
    const outcome = error instanceof OpenFlamingoError ? error.code : "failure";
    const fault = faultOf(error);
    return fault === undefined ? { outcome } : { outcome, fault };
  } finally {
    clearTimeout(timer);
  }
}

function faultOf(error: unknown): string | undefined {
  if (!(error instanceof OpenFlamingoError)) return String(error instanceof Error ? error.stack : error);
  const { code, message } = error;
  if (code === "internal") return `is reported as a bug of the program: ${message}`;
  if (message.length > 2000) return `has a message of ${message.length} characters`;
  const isControl = (c: string) => c < " " && c !== "\n";
  if ([...message].some(isControl))
    return `has control characters in its message: ${JSON.stringify(message)}`;
  return undefined;
}

/** The report on no inputs. */
export const emptyReport = (kind: string, seed: number): FuzzReport => ({
  kind,
  seed,
  inputs: 0,
  seconds: 0,
  outcomes: {},
  failures: [],
  slowest: { input: 0, seconds: 0 },
  memory: 0,
  left: undefined,
});

/** Two reports on one kind as one. */
export function joined(a: FuzzReport, b: FuzzReport): FuzzReport {
  const outcomes = { ...a.outcomes };
  for (const [outcome, count] of Object.entries(b.outcomes))
    outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
  return {
    ...a,
    inputs: a.inputs + b.inputs,
    seconds: a.seconds + b.seconds,
    outcomes,
    failures: [...a.failures, ...b.failures],
    slowest: a.slowest.seconds > b.slowest.seconds ? a.slowest : b.slowest,
    memory: Math.max(a.memory, b.memory),
    left: a.left === undefined ? b.left : Math.max(a.left, b.left ?? 0),
  };
}

/** A report on a few lines. */
export function shownReport(report: FuzzReport): string {
  const { kind, seed, inputs, seconds, outcomes, failures, slowest, memory, left } = report;
  const counts = Object.entries(outcomes)
    .sort(([, a], [, b]) => b - a)
    .map(([outcome, count]) => `${count} ${outcome}`);
  const kept = left === undefined ? "" : `, ${left.toFixed(1)} MiB left`;
  return [
    `${kind}: seed ${seed}, ${inputs} inputs in ${seconds.toFixed(1)} s, the slowest (${slowest.input}) ` +
      `${slowest.seconds.toFixed(2)} s; ${memory.toFixed(0)} MiB on top${kept}; ${counts.join(", ")}`,
    ...failures
      .slice(0, 20)
      .map(({ input, what }) => `  FAILED --kind ${kind} --seed ${seed} --first ${input} --count 1: ${what}`),
  ].join("\n");
}
