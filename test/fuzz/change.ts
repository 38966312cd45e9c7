/** Changes that every kind of input can use: of bytes (as latin1 text), of numbers, of lists. */
import type { Random } from "./kind.js";

/** Whole numbers around the edges of the types that formats keep them in. */
export const edges: readonly bigint[] = [8n, 16n, 31n, 32n, 53n, 63n, 64n]
  .flatMap((bits) => [2n ** bits - 1n, 2n ** bits, 2n ** bits + 1n])
  .concat([0n, 1n, 2n, 3n, 4n, 7n, 100n, 101n]);

/** A number near `value`, or one from an edge. */
export function otherNumber(random: Random, value: bigint): bigint {
  const near = [
    value + 1n,
    value - 1n,
    2n * value,
    value / 2n,
    -value,
    value ^ (1n << BigInt(random.below(64))),
  ];
  return random.once(2) ? random.pick(near) : random.pick(edges);
}

/** Changes some bytes: turns bits over, cuts, doubles, puts something in. */
export function otherBytes(random: Random, bytes: string): string {
  const at = random.below(bytes.length + 1);
  const length = random.pick([1, 1, 2, 4, 8, 1 + random.below(64)]);
  const [before, here, after] = [bytes.slice(0, at), bytes.slice(at, at + length), bytes.slice(at + length)];
  const some = () => Array.from({ length }, () => String.fromCharCode(random.below(256))).join("");
  switch (random.below(6)) {
    case 0:
      return (
        before +
        String.fromCharCode((here.charCodeAt(0) || 0) ^ (1 << random.below(8))) +
        here.slice(1) +
        after
      );
    case 1:
      return before + some() + after;
    case 2:
      return before + some() + here + after;
    case 3:
      return before + after;
    case 4:
      return before + here + here + after;
    default:
      return random.once(4) ? before : before + random.pick(["\0", "\xff"]).repeat(here.length) + after;
  }
}

/** Takes an item out, doubles it, moves it, or exchanges two. */
export function otherList<Item>(random: Random, items: readonly Item[]): Item[] {
  const list = [...items];
  if (list.length === 0) return list;
  const [a, b] = [random.below(list.length), random.below(list.length)];
  switch (random.below(4)) {
    case 0:
      list.splice(a, 1);
      break;
    case 1:
      list.splice(b, 0, list[a]!);
      break;
    case 2:
      list.splice(b, 0, ...list.splice(a, 1 + random.below(4)));
      break;
    default:
      [list[a], list[b]] = [list[b]!, list[a]!];
  }
  return list;
}

/** Applies one to four of the changes. */
export function changed<Value>(
  random: Random,
  value: Value,
  changes: readonly ((value: Value) => Value)[],
): Value {
  const times = 1 + random.below(random.once(2) ? 1 : 4);
  for (let i = 0; i < times; i++) value = random.pick(changes)(value);
  return value;
}
