/** What the fuzzer knows of a kind of input: where inputs come from, how they are changed, and who reads them. */
import { randomStream } from "../../src/base/random.js";

export interface FuzzKind {
  readonly name: string;
  /** Whole inputs, from which all others are made. */
  seeds(): readonly Uint8Array[];
  /** Changes a seed: here and there, in a way that gets past the first checks. */
  mutate(random: Random, seed: Uint8Array): Uint8Array;
  /** Reads an input as a user's file is read; it may throw an OpenFlamingoError, and nothing else. */
  run(input: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Takes away what `run` has left on the disk. */
  close?(): void;
}

/** Draws of one input; its first is the same whatever was drawn for others, so that an input can be made alone. */
export interface Random {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  /** True once in `times`. */
  once(times: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
}

/** The draws of input number `input`. */
export function randomOf(kind: string, seed: number, input: number): Random {
  const stream = randomStream(seed, `fuzz ${kind}`);
  let lane = 0;
  const below = (limit: number) => Math.floor(stream.uniform(input, lane++) * limit);
  return {
    below,
    once: (times) => below(times) === 0,
    pick: (items) => items[below(items.length)]!,
  };
}
