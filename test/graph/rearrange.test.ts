/** `rearrange` against a reading of its patterns in plain numbers. */
import { expect, test } from "vitest";
import { createGraph, input, namedSize, rearrange, showShape, sizes, times } from "../../src/graph/index.js";
import { array, at, host, noise, type Plain } from "./arrays.js";
import { useBackend } from "./evaluate.js";

const backend = useBackend();

/** Each number goes where the names of its axes go: groups are read as numbers of mixed base. */
function rearranged(x: Plain, pattern: string, lengths: Readonly<Record<string, number>>): Plain {
  const [before, after] = pattern
    .split("->")
    .map((side) =>
      [...side.matchAll(/\(([^)]*)\)|(\S+)/g)].map((group) =>
        (group[1] ?? group[2]!).split(/\s+/).filter(Boolean),
      ),
    ) as [string[][], string[][]];
  const joined = (names: readonly string[], value: (name: string) => number) =>
    names.reduce((place, name) => place * lengths[name]! + value(name), 0);
  const shape = after.map((names) => names.reduce((size, name) => size * lengths[name]!, 1));
  const data = x.data.map(() => Number.NaN);
  const all = before.flat();
  array(
    all.map((name) => lengths[name]!),
    (...index) => {
      const value = (name: string) => index[all.indexOf(name)]!;
      const from = before.map((names) => joined(names, value));
      const to = after.map((names) => joined(names, value));
      const place = to.reduce((sum, i, axis) => sum * shape[axis]! + i, 0);
      data[place] = at(x, ...from);
      return 0;
    },
  );
  return { shape, data };
}

test.each<
  [pattern: string, shape: readonly number[], given: Record<string, number>, all: Record<string, number>]
>([
  ["a b -> b a", [2, 3], {}, { a: 2, b: 3 }],
  ["a b -> a b", [2, 3], {}, { a: 2, b: 3 }],
  ["b t (h e) -> b h t e", [2, 3, 8], { h: 4 }, { b: 2, t: 3, h: 4, e: 2 }],
  ["b h t e -> b t (h e)", [2, 4, 3, 2], {}, { b: 2, t: 3, h: 4, e: 2 }],
  ["b t (h e) -> b h t e", [2, 3, 8], { e: 2, h: 4 }, { b: 2, t: 3, h: 4, e: 2 }],
  [
    "N c (y p) (x q) -> N (y x) (c p q)",
    [1, 3, 4, 6],
    { p: 2, q: 3 },
    { N: 1, c: 3, y: 2, p: 2, x: 2, q: 3 },
  ],
  ["b s h n e -> b h (s n) e", [2, 1, 2, 3, 2], {}, { b: 2, s: 1, h: 2, n: 3, e: 2 }],
  ["(a b c) -> c (b a)", [24], { a: 2, b: 3 }, { a: 2, b: 3, c: 4 }],
  ["a b -> a () b", [2, 3], {}, { a: 2, b: 3 }],
  ["a () b -> (a b)", [2, 1, 3], {}, { a: 2, b: 3 }],
  ["() a -> a ()", [1, 3], {}, { a: 3 }],
  ["a -> (a)", [3], {}, { a: 3 }],
  [" a  b->( b   a ) ", [2, 3], {}, { a: 2, b: 3 }],
])("%s", async (pattern, shape, given, lengths) => {
  const x = noise(shape, 1);
  const { y } = await backend.evaluate({ x: host(x, "float32") }, ({ x }) => ({
    y: rearrange(x!, pattern, given),
  }));
  expect(y).toEqual(rearranged(x, pattern, lengths));
});

const graph = createGraph("rearrange");
const x = input(graph, "x", "float32", ["b", times(4, namedSize("t")), 6]);
const column = input(graph, "column", "float32", ["b", 1]);

test("named sizes are split and joined by their polynomials", () => {
  expect(showShape(rearrange(x, "b (q t) d -> (b t) (q d)", { q: 4 }).shape)).toBe("(b·t, 24)");
  expect(showShape(rearrange(x, "b (t q) d -> b t q d", { t: namedSize("t") }).shape)).toBe("(b, t, 4, 6)");
});

test("what changes nothing writes no node", () => {
  expect(rearrange(x, "b t d -> b t d")).toBe(x);
});

test("sizes are given by the names of a pattern", () => {
  const { b, d } = sizes(x, "b t d");
  expect(showShape([b, d])).toBe("(b, 6)");
});

test.each<[string, () => unknown]>([
  ["(b, 4·t, 6) does not have the 2 axes of the pattern", () => rearrange(x, "b t -> t b")],
  ["axis 2 of (b, 4·t, 6) is not (h e)", () => rearrange(x, "b t (h e) -> b t h e", { h: 4 })],
  ["axis 2 of (b, 4·t, 6) is not (h e)", () => rearrange(x, "b t (h e) -> b t h e")],
  ["axis 2 of (b, 4·t, 6) is not (h e)", () => rearrange(x, "b t (h e) -> b t h e", { h: 2, e: 2 })],
  ["axis 0 of (b, 1) is not ()", () => rearrange(column, "() a -> a")],
  ['"b t d" has no arrow', () => rearrange(x, "b t d")],
  ['"b t d -> b t" does not have the same axes on both sides', () => rearrange(x, "b t d -> b t")],
  ['"b t d -> b t d e" does not have the same axes on both sides', () => rearrange(x, "b t d -> b t d e")],
])("%s", (message, wrong) => {
  expect(wrong).toThrow(`rearrange: ${message}`);
});
