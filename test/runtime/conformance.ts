/** What every backend must do, as one table: call `runtimeCases` with a function that opens the backend. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { type HostTensor, zeros } from "../../src/runtime/hostTensor.js";
import type { Feed, Program, RunOptions, Runtime, Session } from "../../src/runtime/runtime.js";
import { slowTest } from "../slow.js";
import { node, program } from "./onnxBytes.js";
import {
  addition,
  attentionFeeds,
  attentionReference,
  cachedAttention,
  chain,
  floats,
  largestDifference,
  noise,
  numbers,
  wrongShape,
} from "./programs.js";

const sizes = { heads: 2, headWidth: 8, capacity: 32 };

/** The error that a promise is rejected with. */
async function failure(promise: Promise<unknown>): Promise<OpenFlamingoError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof OpenFlamingoError)) throw new Error(`not one of our errors: ${error}`);
  return error;
}

/**
 * @param sideBySide whether runs of different sessions overlap: those of `ort.binding` do not, as it is called from
 *   one thread, which a call keeps busy
 */
export function runtimeCases(open: () => Promise<Runtime>, { sideBySide }: { sideBySide: boolean }): void {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await open();
  });
  afterAll(() => runtime.close());

  const load = (program: Program) => runtime.load(program, { threads: 1 });
  const a = floats([2, 3], [1, 2, 3, 4, 5, 6]);
  const b = floats([2, 3], [10, 20, 30, 40, 50, 60]);

  describe("a run", () => {
    test("returns outputs in new memory, with shapes from the feeds", async () => {
      await using session = await load(addition);
      const { sum } = await session.run({ a, b });
      expect(sum).toEqual(floats([2, 3], [11, 22, 33, 44, 55, 66]));
      const again = await session.run({ a: floats([1, 3], [0, 0, 0]), b: floats([1, 3], [7, 8, 9]) });
      expect(again).toEqual({ sum: floats([1, 3], [7, 8, 9]) });
      expect(numbers(sum)).toEqual([11, 22, 33, 44, 55, 66]);
    });

    test("writes outputs that are given in place, also into the middle of a buffer", async () => {
      await using session = await load(addition);
      const buffer = new Float32Array(10).fill(-1);
      const sum: HostTensor<"float32"> = { dtype: "float32", shape: [2, 3], data: buffer.subarray(2, 8) };
      const results = await session.run({ a, b }, { outputs: { sum } });
      expect(Object.values(results)[0]).toBe(sum);
      expect([...buffer]).toEqual([-1, -1, 11, 22, 33, 44, 55, 66, -1, -1]);
    });

    test("may write two outputs that touch in one buffer, beside an input that touches them", async () => {
      const nodes = [node("Neg", ["x"], ["minus"]), node("Abs", ["x"], ["size"])];
      const type = ["float32", "n"] as const;
      await using session = await load(program("two", nodes, { x: type }, { minus: type, size: type }));
      const buffer = Float32Array.of(0, 0, -1, 2, 0, 0);
      const part = (from: number): HostTensor => ({
        dtype: "float32",
        shape: [2],
        data: buffer.subarray(from, from + 2),
      });
      await session.run({ x: part(2) }, { outputs: { minus: part(0), size: part(4) } });
      expect([...buffer]).toEqual([1, -2, -1, 2, 1, 2]);
    });

    test("that needs more memory than there is says so, and the session goes on", async () => {
      // Σ over an outer product of 2^21 by 2^21 numbers: 16 TiB between the two operators.
      const outer = program(
        "outer",
        [node("Mul", ["column", "row"], ["outer"]), node("ReduceSum", ["outer"], ["y"], { keepdims: 0 })],
        { column: ["float32", "n", 1], row: ["float32", 1, "m"] },
        { y: ["float32"] },
      );
      await using session = await load(outer);
      const size = 2 ** 21;
      const large = { column: zeros("float32", [size, 1]), row: zeros("float32", [1, size]) };
      await expect(session.run(large)).rejects.toMatchObject({
        code: "memory",
        message: expect.stringContaining("not enough memory"),
      });
      const small = { column: floats([2, 1], [1, 2]), row: floats([1, 2], [3, 4]) };
      expect(numbers((await session.run(small)).y)).toEqual([21]);
    });

    test("takes tensors without elements and programs without inputs", async () => {
      await using session = await load(addition);
      const empty = zeros("float32", [0, 3]);
      expect(await session.run({ a: empty, b: empty })).toEqual({ sum: empty });
      const identity = node("Identity", ["c"], ["y"]);
      const constant = program("constant", [identity], {}, { y: ["float32", 2, 3] }, { constants: { c: a } });
      await using constantly = await load(constant);
      expect(await constantly.run({})).toEqual({ y: a });
    });

    test("returns only the outputs that are wanted or given", async () => {
      const nodes = [
        node("Neg", ["x"], ["minus"]),
        node("Abs", ["x"], ["size"]),
        node("Relu", ["x"], ["plus"]),
      ];
      const type = ["float32", "n"] as const;
      const all = program("three", nodes, { x: type }, { minus: type, size: type, plus: type });
      await using session = await load(all);
      const x = floats([2], [-1, 2]);
      const plus = zeros("float32", [2]);
      const results = await session.run({ x }, { want: ["minus"], outputs: { plus } });
      expect(results).toEqual({ minus: floats([2], [1, -2]), plus: floats([2], [0, 2]) });
    });

    test("resolves sizes that are computed from named ones", async () => {
      const concat = program(
        "concat",
        [node("Concat", ["first", "second"], ["both"], { axis: 0 })],
        { first: ["float32", "n", 3], second: ["float32", "m", 3] },
        { both: ["float32", "n+m", 3] },
      );
      const sum = {
        evaluate: (s: ReadonlyMap<string, number>) => s.get("n")! + s.get("m")!,
        toString: () => "n+m",
      };
      const outputs = [{ name: "both", dtype: "float32", shape: [sum, 3] }] as const;
      await using session = await load({ ...concat, outputs });
      const { both } = await session.run({ first: a, second: floats([1, 3], [7, 8, 9]) });
      expect(both).toEqual(floats([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]));
    });

    test("of every type of element keeps every bit", async () => {
      const tensors: HostTensor[] = [
        { dtype: "float64", shape: [2], data: Float64Array.of(Math.PI, -0) },
        { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0xfc00) },
        { dtype: "int64", shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n) },
        { dtype: "int32", shape: [2], data: Int32Array.of(-(2 ** 31), 7) },
        { dtype: "int8", shape: [2], data: Int8Array.of(-128, 127) },
        { dtype: "uint8", shape: [2], data: Uint8Array.of(255, 1) },
      ];
      for (const x of tensors) {
        const same = program(
          "same",
          [node("Identity", ["x"], ["y"])],
          { x: [x.dtype, "n"] },
          { y: [x.dtype, "n"] },
        );
        await using session = await load(same);
        expect(await session.run({ x })).toEqual({ y: x });
      }
    });
  });

  describe("weights", () => {
    test("outside of the model are used, also where an optimisation wants to compute with them", async () => {
      const w = floats([3, 2], [1, 2, 3, 4, 5, 6]);
      const scale = floats([1], [2]);
      const folded = program(
        "folded",
        [
          node("Transpose", ["w"], ["wT"], { perm: [1, 0] }),
          node("MatMul", ["x", "wT"], ["xw"]),
          node("Mul", ["xw", "scale"], ["y"]),
        ],
        { x: ["float32", "n", 2] },
        { y: ["float32", "n", 3] },
        { weights: { w, scale } },
      );
      await using session = await load(folded);
      expect(await session.run({ x: floats([1, 2], [1, 10]) })).toEqual({ y: floats([1, 3], [42, 86, 130]) });
    });

    test("give the same products prepacked and not", async () => {
      const long = chain(3, 40);
      const x = floats([17, 40], noise(2));
      const results: number[][] = [];
      for (const prepack of [true, false]) {
        await using session = await runtime.load(long, { threads: 1, prepack });
        const { y } = await session.run({ x });
        results.push(numbers(y));
      }
      const difference = largestDifference(results[0]!, results[1]!);
      console.log(`prepacked and not: largest difference ${difference}`);
      expect(difference).toBeLessThan(1e-4);
    });
  });

  describe("a cache", () => {
    test("bound as past and present is read and written in place", async () => {
      const { heads, headWidth, capacity } = sizes;
      await using session = await load(cachedAttention(sizes));
      using key = runtime.bind(floats([1, heads, capacity, headWidth], () => 99));
      using value = runtime.bind(floats([1, heads, capacity, headWidth], () => 99));
      let largest = 0;
      // A prompt, a chunk with a past, four single tokens.
      for (const [past, t] of [
        [0, 5],
        [5, 3],
        [8, 1],
        [9, 1],
        [10, 1],
        [11, 1],
      ] as const) {
        const feeds = { ...attentionFeeds(sizes, past, t), pastKey: key, pastValue: value };
        const { o } = await session.run(feeds, { outputs: { presentKey: key, presentValue: value } });
        const expected = Array.from({ length: t }, (_, i) => attentionReference(sizes, past + i)).flat();
        largest = Math.max(largest, largestDifference(numbers(o), expected));
      }
      console.log(`attention with a cache in place: largest difference ${largest}`);
      expect(largest).toBeLessThan(1e-6);

      const { k } = attentionFeeds(sizes, 0, 12);
      const rowOf = (data: Float32Array, head: number, slot: number) => [
        ...data.subarray((head * capacity + slot) * headWidth, (head * capacity + slot + 1) * headWidth),
      ];
      for (let head = 0; head < heads; head++) {
        const written = [
          ...k.data.subarray((11 * heads + head) * headWidth, (11 * heads + head + 1) * headWidth),
        ];
        expect(rowOf(Float32Array.from(numbers(key.tensor)), head, 11)).toEqual(written);
        expect(rowOf(Float32Array.from(numbers(key.tensor)), head, 12)).toEqual(
          new Array(headWidth).fill(99),
        );
      }
    });

    slowTest("stays right over 10,000 runs with garbage collected in between", async () => {
      const small = { heads: 2, headWidth: 8, capacity: 16 };
      await using session = await load(cachedAttention(small));
      const shape = [1, small.heads, small.capacity, small.headWidth];
      using key = runtime.bind(zeros("float32", shape));
      using value = runtime.bind(zeros("float32", shape));
      const steps = Array.from({ length: small.capacity }, (_, at) => attentionFeeds(small, at, 1));
      const references = steps.map((_, at) => attentionReference(small, at));
      const outputs = { presentKey: key, presentValue: value };
      let largest = 0;
      for (let run = 0; run < 10_000; run++) {
        const at = run % small.capacity;
        const { o } = await session.run({ ...steps[at]!, pastKey: key, pastValue: value }, { outputs });
        largest = Math.max(largest, largestDifference(numbers(o), references[at]!));
        if (run % 100 === 0) globalThis.gc!();
      }
      console.log(`10,000 runs: largest difference ${largest}`);
      expect(largest).toBeLessThan(1e-6);
    });

    test("that is not bound gives the same, in new memory", async () => {
      const shape = [1, sizes.heads, sizes.capacity, sizes.headWidth];
      await using session = await load(cachedAttention(sizes));
      let [pastKey, pastValue]: Feed[] = [zeros("float32", shape), zeros("float32", shape)];
      for (const [past, t] of [
        [0, 5],
        [5, 1],
      ] as const) {
        const { o, presentKey, presentValue } = await session.run({
          ...attentionFeeds(sizes, past, t),
          ...{ pastKey: pastKey!, pastValue: pastValue! },
        });
        const expected = Array.from({ length: t }, (_, i) => attentionReference(sizes, past + i)).flat();
        expect(largestDifference(numbers(o), expected)).toBeLessThan(1e-6);
        [pastKey, pastValue] = [presentKey!, presentValue!];
      }
    });
  });

  describe("a bound tensor", () => {
    test("is seen by the next run when its data is written to", async () => {
      await using session = await load(addition);
      const memory = floats([1, 3], [0, 0, 0]); // 12 bytes: small arrays move in memory if they are not pinned
      using bound = runtime.bind(memory);
      for (let i = 0; i < 50; i++) {
        globalThis.gc!();
        memory.data.fill(i);
        const { sum } = await session.run({ a: bound, b: bound });
        expect(numbers(sum)).toEqual([2 * i, 2 * i, 2 * i]);
      }
    });

    test("goes to several sessions, and may be released while a run uses it", async () => {
      await using first = await load(addition);
      await using second = await load(addition);
      const bound = runtime.bind(a);
      const runs = [first.run({ a: bound, b }), second.run({ a: bound, b: bound })];
      bound.release();
      bound.release();
      const [one, two] = await Promise.all(runs);
      expect(one).toEqual({ sum: floats([2, 3], [11, 22, 33, 44, 55, 66]) });
      expect(two).toEqual({ sum: floats([2, 3], [2, 4, 6, 8, 10, 12]) });
      expect((await failure(first.run({ a: bound, b }))).message).toMatch("released before");
    });

    test("of another runtime is rejected", async () => {
      await using session = await load(addition);
      await using other = await open();
      using bound = other.bind(a);
      const error = await failure(session.run({ a: bound, b }));
      expect(error.message).toBe("a bound tensor was released before its run, or bound by another runtime");
      await using sessionThere = await other.load(addition);
      expect(await sessionThere.run({ a: bound, b })).toEqual(await session.run({ a, b }));
    });

    test("whose data does not fit is rejected", () => {
      expect(() => runtime.bind({ ...a, shape: [2, 4] })).toThrow("holds 6 elements, its shape [2, 4] has 8");
    });
  });

  describe("while a run is under way", () => {
    const long = chain(60, 512, () => 0);
    const x = zeros("float32", [512, 512]);

    test("the event loop goes on", async () => {
      await using session = await load(long);
      let ticks = 0;
      const timer = setInterval(() => ticks++, 1);
      await session.run({ x });
      clearInterval(timer);
      console.log(`${ticks} ticks during one run`);
      expect(ticks).toBeGreaterThan(1);
    });

    test("a signal stops it with its reason, and the session stays good", async () => {
      await using session = await load(long);
      const reason = new Error("enough");
      const large = { x: zeros("float32", [1024, 512]) };
      const timed = async (run: Promise<unknown>): Promise<number> => {
        const begun = performance.now();
        await run;
        return performance.now() - begun;
      };
      const before = await timed(session.run(large));
      const controller = new AbortController();
      const run = session.run(large, { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 20);
      const stopped = await timed(expect(run).rejects.toBe(reason));
      const { y } = await session.run({ x: floats([1, 512], () => 1) });
      expect(numbers(y).every((value) => value === 0)).toBe(true);
      const whole = Math.min(before, await timed(session.run(large)));
      console.log(`stopped after ${stopped.toFixed(0)} ms, whole ${whole.toFixed(0)} ms`);
      expect(stopped).toBeLessThan(whole / 2);
    });

    test("a signal that was given before stops everything at once", async () => {
      await using session = await load(addition);
      const signal = AbortSignal.abort(new Error("before"));
      await expect(session.run({ a, b }, { signal })).rejects.toThrow("before");
      await expect(runtime.load(addition, { signal })).rejects.toThrow("before");
    });

    test("the next run of the session waits, another session's only where they take turns", async () => {
      await using session = await load(long);
      await using other = await load(addition);
      const order: string[] = [];
      const note = (name: string) => () => order.push(name);
      await Promise.all([
        session.run({ x }).then(note("long")),
        session.run({ x: floats([1, 512], () => 1) }).then(note("short, after it")),
        other.run({ a, b }).then(note("beside it")),
      ]);
      const first = sideBySide ? ["beside it", "long"] : ["long", "beside it"];
      expect(order).toEqual([...first, "short, after it"]);
    });

    test("many runs asked for at once are all right, in order", async () => {
      await using session = await load(addition);
      const runs = Array.from({ length: 500 }, (_, i) =>
        session.run({ a: floats([1, 3], [i, i, i]), b: floats([1, 3], [1, 2, 3]) }),
      );
      for (const [i, { sum }] of (await Promise.all(runs)).entries()) {
        expect(numbers(sum)).toEqual([i + 1, i + 2, i + 3]);
      }
    });

    test("feeds that nobody else refers to survive a collection", async () => {
      await using session = await load(long);
      const run = session.run(
        { x: floats([512, 512], (i) => i % 7) },
        { outputs: { y: zeros("float32", [512, 512]) } },
      );
      const litter: Float32Array[] = []; // takes the place of whatever was freed
      while (litter.length < 20) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        globalThis.gc!();
        litter.push(new Float32Array(512 * 512).fill(Number.NaN));
      }
      const { y } = await run;
      expect(numbers(y).every((value) => value === 0)).toBe(true);
    });

    test("closing stops it, rejects those that wait, and waits for the end", async () => {
      const session = await load(long);
      const runs = [session.run({ x }), session.run({ x })].map(failure);
      await new Promise((resolve) => setTimeout(resolve, 10));
      await session.close();
      for (const { code, message } of await Promise.all(runs)) {
        expect([code, message]).toEqual(["closed", "chain was closed"]);
      }
    });
  });

  describe("after closing", () => {
    test("a session rejects to run, and closing again is harmless", async () => {
      const session = await load(addition);
      await session.close();
      await session.close();
      expect(await failure(session.run({ a, b }))).toMatchObject({
        code: "closed",
        message: "addition was closed",
      });
    });

    test("a runtime's sessions are closed, and it loads and binds nothing more", async () => {
      const second = await open();
      const session = await second.load(addition);
      const loading = failure(second.load(addition));
      await second.close();
      await second.close();
      const closed = `the runtime ${second.name} was closed`;
      expect((await loading).message).toBe(closed);
      expect((await failure(session.run({ a, b }))).message).toBe("addition was closed");
      expect((await failure(second.load(addition))).message).toBe(closed);
      expect(() => second.bind(a)).toThrow(closed);
    });
  });

  describe("what does not fit is rejected with a specific error", () => {
    const two = { evaluate: (s: ReadonlyMap<string, number>) => 2 * s.get("n")!, toString: () => "2*n" };
    const plain = program(
      "checked",
      [node("Add", ["x", "x"], ["y"]), node("Add", ["again", "again"], ["w"]), node("Neg", ["z"], ["v"])],
      { x: ["float32", "n", 2], again: ["float32", "n"], z: ["int64", "n2"] },
      { y: ["float32", "n", 2], w: ["float32", "n"], v: ["int64", "n2"] },
    );
    const checked: Program = {
      ...plain,
      inputs: [...plain.inputs.slice(0, 2), { name: "z", dtype: "int64", shape: [two] }],
      outputs: [...plain.outputs.slice(0, 2), { name: "v", dtype: "int64", shape: ["m"] }],
    };
    const x = floats([3, 2], noise(1));
    const again = floats([3], noise(2));
    const z = zeros("int64", [6]);
    const good = { x, again, z };
    const memory = new Float32Array(8);
    const integers = new Int32Array(6) as ArrayLike<number> as Float32Array;
    const table: { case: string; feeds?: Record<string, Feed>; options?: RunOptions; error: string }[] = [
      { case: "a missing feed", feeds: { x, z }, error: 'input "again" (float32 [n]) is missing' },
      { case: "an unknown feed", feeds: { ...good, q: x }, error: 'no input "q" (inputs: x, again, z)' },
      {
        case: "a wrong type",
        feeds: { ...good, x: zeros("int32", [3, 2]) },
        error: 'input "x" (float32 [n, 2]) is int32 [3, 2]',
      },
      {
        case: "a wrong rank",
        feeds: { ...good, x: again },
        error: 'input "x" (float32 [n, 2]) is float32 [3]',
      },
      {
        case: "a wrong fixed size",
        feeds: { ...good, x: floats([3, 4], noise(1)) },
        error: 'input "x" (float32 [n, 2]) is float32 [3, 4]',
      },
      {
        case: "two values of one size",
        feeds: { ...good, again: floats([4], noise(1)) },
        error: 'size n is 3 in "x" but 4 in "again"',
      },
      {
        case: "a wrong computed size",
        feeds: { ...good, z: zeros("int64", [5]) },
        error: 'input "z" has 5 on axis 0, 2*n is 6',
      },
      {
        case: "too little data",
        feeds: { ...good, x: { ...x, data: new Float32Array(5) } },
        error: 'input "x" (float32 [n, 2]) holds 5 elements, its shape [3, 2] has 6',
      },
      {
        case: "data of another type",
        feeds: { ...good, x: { ...x, data: integers } },
        error: 'input "x" (float32 [n, 2]) is float32 but its data is a Int32Array',
      },
      {
        case: "several faults, all at once",
        feeds: { q: x, z },
        error:
          '"x" (float32 [n, 2]) is missing; input "again" (float32 [n]) is missing; there is no input "q"',
      },
      {
        case: "an unknown output",
        options: { outputs: { q: x }, want: [] },
        error: 'no output "q" (outputs: y, w, v)',
      },
      {
        case: "an unknown wanted output",
        options: { want: ["q"] },
        error: 'no output "q" (outputs: y, w, v)',
      },
      {
        case: "an output of a wrong shape",
        options: { outputs: { y: floats([2, 2], noise(1)) }, want: [] },
        error: 'output "y" (float32 [3, 2]) is float32 [2, 2]',
      },
      {
        case: "an output of a size that no input has",
        options: { want: ["v"] },
        error: 'output "v" (int64 [m]) has a size that no input has',
      },
      {
        case: "an output over an input",
        options: { outputs: { y: { ...x } }, want: [] },
        error: 'output "y" lies in the memory of input "x", not its alias',
      },
      {
        case: "outputs over each other",
        options: {
          outputs: { y: { ...x, data: memory.subarray(0, 6) }, w: { ...again, data: memory.subarray(5, 8) } },
          want: [],
        },
        error: 'output "w" lies in the memory of output "y", not its alias',
      },
    ];
    let session: Session;
    beforeAll(async () => {
      session = await load(checked);
    });
    afterAll(() => session.close());

    test.each(table)("$case", async ({ feeds = good, options = { want: ["y"] }, error }) => {
      const { code, message } = await failure(session.run(feeds, options));
      expect([code, message.slice(0, 9)]).toEqual(["backend", "checked: "]);
      expect(message).toContain(error);
    });

    test("an output half over the cache that it may lie in", async () => {
      const { heads, headWidth, capacity } = sizes;
      await using attention = await load(cachedAttention(sizes));
      const n = heads * capacity * headWidth;
      const shape = [1, heads, capacity, headWidth];
      const memory = new Float32Array(n + 1);
      const [pastKey, presentKey] = [0, 1].map(
        (at): HostTensor => ({ dtype: "float32", shape, data: memory.subarray(at, at + n) }),
      );
      const feeds = { ...attentionFeeds(sizes, 0, 1), pastKey: pastKey!, pastValue: zeros("float32", shape) };
      const error = await failure(attention.run(feeds, { outputs: { presentKey: presentKey! } }));
      expect(error.message).toContain('output "presentKey" lies in the memory of input "pastKey"');
    });

    test.each([0, 2])(
      "an output over a part of the input that it may lie in, from element %s on",
      async (from) => {
        const nodes = [node("Neg", ["half"], ["y"]), node("Neg", ["x"], ["z"])];
        const ports = { x: ["float32", "n"], half: ["float32", "m"] } as const;
        const outputs = { y: ["float32", "m"], z: ["float32", "n"] } as const;
        const halving = program("halving", nodes, ports, outputs, { aliases: { y: "x" } });
        await using session = await load(halving);
        const x = floats([4], [1, 2, 3, 4]);
        const half = floats([2], [5, 6]);
        const y: HostTensor = { dtype: "float32", shape: [2], data: x.data.subarray(from, from + 2) };
        const error = await failure(session.run({ x, half }, { outputs: { y } }));
        expect(error.message).toContain('output "y" lies in the memory of input "x", not its alias');
      },
    );

    test("weights whose data is too short", async () => {
      const w: HostTensor = { dtype: "float32", shape: [2, 3], data: new Float32Array(5) };
      const wrong = { ...addition, weights: new Map([["w", w]]) };
      const error = await failure(runtime.load(wrong));
      expect(error.message).toBe('addition: weight "w" holds 5 elements, its shape [2, 3] has 6');
    });
  });

  describe("what the backend rejects comes as an error of ours, with its words as the cause", () => {
    test("a model that is none", async () => {
      const error = await failure(load({ ...addition, bytes: Uint8Array.of(1, 2, 3) }));
      expect(error.code).toBe("backend");
      expect(error.message).toMatch(/^addition cannot be loaded: /);
      expect(error.cause).toBeInstanceOf(Error);
    });

    test("an operator that does not exist", async () => {
      const type = ["float32", "n"] as const;
      const wrong = program("wrong", [node("Nonsense", ["x"], ["y"])], { x: type }, { y: type });
      expect((await failure(load(wrong))).message).toMatch(/^wrong cannot be loaded: .*Nonsense/);
    });

    test("a weight that the program does not bring", async () => {
      const weights = new Map();
      expect((await failure(load({ ...chain(1, 4), weights }))).message).toMatch(
        /^chain cannot be loaded: .*\bw\b/,
      );
    });

    test("a shape that the program does not keep", async () => {
      await using session = await load(wrongShape);
      const error = await failure(session.run({ a, b }));
      expect(error.message).toMatch(/^wrong shape failed: .*shape.*\{2,2\}.*\{2,3\}/);
      expect(error.message).not.toMatch(/\.cc|onnxruntime_src/);
      expect(error.cause).toBeInstanceOf(Error);
    });

    test("memory that is not there", async () => {
      const huge = program(
        "huge",
        [node("ConstantOfShape", ["shape"], ["zeros"]), node("ReduceSum", ["zeros"], ["y"], { keepdims: 0 })],
        { shape: ["int64", 2] },
        { y: ["float32"] },
      );
      await using session = await load(huge);
      const shape: HostTensor = {
        dtype: "int64",
        shape: [2],
        data: BigInt64Array.of(10_000_000n, 10_000_000n),
      };
      expect(await failure(session.run({ shape }))).toMatchObject({
        code: "memory",
        message: /^huge failed: not enough memory/,
      });
      const tall = program(
        "tall",
        [node("Add", ["x", "y"], ["z"])],
        { x: ["float32", "n", 1], y: ["float32", "m"] },
        { z: ["float32", "n", "m"] },
      );
      await using wide = await load(tall);
      const x = zeros("float32", [200_000, 1]);
      expect((await failure(wide.run({ x, y: zeros("float32", [200_000]) }))).code).toBe("memory");
    });
  });
}
