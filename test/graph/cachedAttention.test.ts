/**
 * Attention over a cache, call after call as a model makes them, against plain numbers. Heads that are 8 wide go to
 * the backend's kernel, those that are 6 wide through the decomposition.
 */
import { describe, expect, test } from "vitest";
import { cachedAttention, createGraph, input, output } from "../../src/graph/index.js";
import type { Session } from "../../src/runtime/runtime.js";
import { array, at, difference, host, map, noise, type Plain, plain } from "./arrays.js";
import { useBackend } from "./evaluate.js";
import { type CachedCall, cachedAttentionOf } from "./operators/formulas.js";

type CacheType = "float32" | "int8";

const heads = 2;
const scale = 0.4;
const backend = useBackend();

function load(e: number, type: CacheType = "float32"): Promise<Session> {
  const graph = createGraph("cached attention");
  const tokens = (name: string) => input(graph, name, "float32", ["b", "t", heads, e]);
  const cache = (name: string) => input(graph, name, type, ["b", heads, "capacity", e]);
  const [y, keys, values] = cachedAttention(
    tokens("queries"),
    tokens("keys"),
    tokens("values"),
    cache("pastKeys"),
    cache("pastValues"),
    input(graph, "start", "int32", ["b"]),
    input(graph, "bias", "float32", ["b", heads, "t", "total"]),
    { scale },
  );
  output(graph, "y", y!);
  output(graph, "presentKeys", keys!);
  output(graph, "presentValues", values!);
  return backend.load(graph);
}

/** A call for t new tokens of each row, from its slot in `start` on. */
function callOf(
  t: number,
  start: readonly number[],
  past: readonly [Plain, Plain],
  seed: number,
  type: CacheType,
): CachedCall {
  const [rows, , , e] = past[0].shape as [number, number, number, number];
  const tokens = (more: number) => noise([rows, t, heads, e], seed + more);
  // For int8, numbers on both sides of its bounds, the first ones halves: 0.5, 1.5, −2.5, … are rounded to even ones.
  const wide = (x: Plain): Plain =>
    type === "float32"
      ? x
      : { ...x, data: x.data.map((value, i) => (i < 4 ? (i + 0.5) * (-1) ** (i >> 1) : 200 * value)) };
  return {
    queries: map((x) => (type === "float32" ? x! : x! / 100), tokens(1)),
    keys: wide(tokens(2)),
    values: wide(tokens(3)),
    pastKeys: past[0],
    pastValues: past[1],
    start: { shape: [rows], data: start },
    bias: noise([rows, heads, t, Math.max(...start) + t], seed + 4),
  };
}

const feedsOf = (call: CachedCall, type: CacheType = "float32") =>
  Object.fromEntries(
    Object.entries(call).map(([name, value]) => [
      name,
      host(value, name === "start" ? "int32" : name.startsWith("past") ? type : "float32"),
    ]),
  );

/** The nearest whole number from −128 to 127, of two the even one. */
function inInt8(x: number): number {
  const below = Math.floor(x);
  const nearest = x - below === 0.5 ? below + (below % 2 === 0 ? 0 : 1) : Math.round(x);
  return Math.min(127, Math.max(-128, nearest)) + 0; // no −0
}

/** The call as an int8 cache sees it. */
const rounded = (call: CachedCall): CachedCall => ({
  ...call,
  keys: map((x) => inInt8(x!), call.keys),
  values: map((x) => inInt8(x!), call.values),
});

/** A cache full of numbers that would be seen in every result. */
const usedCache = (rows: number, capacity: number, e: number): Plain =>
  array([rows, heads, capacity, e], () => 7);

/** Makes the calls one after the other on one cache that is bound in place. */
async function inPlace(
  e: number,
  capacity: number,
  calls: readonly { t: number; start: readonly number[] }[],
  type: CacheType = "float32",
) {
  await using session = await load(e, type);
  const rows = calls[0]!.start.length;
  const empty = usedCache(rows, capacity, e);
  using keys = backend.runtime.bind(host(empty, type));
  using values = backend.runtime.bind(host(empty, type));
  let past: readonly [Plain, Plain] = [empty, empty];
  for (const [i, { t, start }] of calls.entries()) {
    const call = callOf(t, start, past, 10 * i, type);
    const seen = type === "int8" ? rounded(call) : call;
    const [y, presentKeys, presentValues] = cachedAttentionOf(seen, scale);
    const found = await session.run(
      { ...feedsOf(call, type), pastKeys: keys, pastValues: values },
      { outputs: { presentKeys: keys, presentValues: values } },
    );
    expect(difference(plain(found.y!), y), `y of call ${i}`).toBeLessThan(type === "int8" ? 1e-4 : 1e-6);
    // All of the memory: what no token was written to is as it was.
    expect(plain(keys.tensor), `keys after call ${i}`).toEqual(presentKeys);
    expect(plain(values.tensor), `values after call ${i}`).toEqual(presentValues);
    past = [presentKeys, presentValues];
  }
}

describe.each([8, 6])("heads %i wide", (e) => {
  test("a prompt in two chunks and then single tokens, in a cache with room left", async () => {
    await inPlace(e, 9, [
      { t: 4, start: [0] },
      { t: 2, start: [4] },
      { t: 1, start: [6] },
      { t: 1, start: [7] },
    ]);
  });

  test("rows of a batch that go on from different slots", async () => {
    await inPlace(e, 8, [
      { t: 5, start: [0, 0] }, // the first has 3 tokens and 2 of padding, which its next tokens overwrite
      { t: 1, start: [3, 5] },
      { t: 1, start: [4, 6] },
    ]);
  });

  test("a cache of int8, with numbers that it cannot hold", async () => {
    const calls = [
      { t: 4, start: [0] },
      { t: 2, start: [4] },
      { t: 1, start: [6] },
    ];
    await inPlace(e, 9, calls, "int8");
    await inPlace(
      e,
      6,
      [
        { t: 4, start: [0, 0] },
        { t: 1, start: [2, 4] },
      ],
      "int8",
    );
  });

  test("a cache that is full to the last slot", async () => {
    await inPlace(e, 3, [
      { t: 2, start: [0] },
      { t: 1, start: [2] },
    ]);
  });

  test("one token alone is its own value", async () => {
    await using session = await load(e);
    const past = usedCache(1, 4, e);
    const call = callOf(1, [0], [past, past], 0, "float32");
    const { y } = await session.run(feedsOf(call));
    expect(difference(plain(y!), call.values)).toBeLessThan(1e-6);
  });

  test("out of place the past is left alone, and present has the slots up to the last token", async () => {
    await using session = await load(e);
    const past = usedCache(1, 6, e);
    const call = callOf(2, [1], [past, past], 0, "float32");
    const feeds = feedsOf(call);
    const found = await session.run(feeds);
    const [y, keys, values] = cachedAttentionOf(call, scale);
    const used = (cache: Plain) => array([1, heads, 3, e], (...index) => at(cache, ...index));
    expect(difference(plain(found.y!), y)).toBeLessThan(1e-6);
    expect(used(plain(found.presentKeys!))).toEqual(used(keys));
    expect(used(plain(found.presentValues!))).toEqual(used(values));
    expect(plain(feeds.pastKeys!)).toEqual(past);
  });
});
