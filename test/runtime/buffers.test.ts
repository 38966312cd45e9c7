/** Memory that may be gone while native code uses it: never given to it, on either backend. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { zeros } from "../../src/runtime/hostTensor.js";
import type { Feed, Program, RunOptions, Runtime, Session } from "../../src/runtime/runtime.js";
import { backends } from "./backends.js";
import { addition, chain, floats } from "./programs.js";

type Floats = { readonly dtype: "float32"; readonly shape: readonly number[]; readonly data: Float32Array };

/** Three floats in a buffer. */
const three = (buffer: ArrayBufferLike, offset = 0): Floats => ({
  dtype: "float32",
  shape: [1, 3],
  data: new Float32Array(buffer, offset, 3),
});
/** What TypeScript does not know yet. */
interface Resizable extends ArrayBuffer {
  resize(bytes: number): void;
}
const resizable = (bytes: number, maxByteLength: number): Resizable =>
  Reflect.construct(ArrayBuffer, [bytes, { maxByteLength }]);
const growable = (bytes: number, maxByteLength: number): SharedArrayBuffer =>
  Reflect.construct(SharedArrayBuffer, [bytes, { maxByteLength }]);
const detach = ({ data }: Floats): void =>
  void structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
const detached = (): Floats => {
  const tensor = three(new ArrayBuffer(12));
  detach(tensor);
  return tensor;
};

const canChange = "lies in a buffer whose size can change";
const isGone = "lies in a buffer that was transferred elsewhere";
const kinds: readonly [string, () => Floats, string][] = [
  ["a resizable buffer", () => three(resizable(12, 24)), canChange],
  ["a resizable buffer that never was another size", () => three(resizable(12, 12)), canChange],
  ["the middle of a resizable buffer", () => three(resizable(64, 64), 16), canChange],
  [
    "a resizable buffer that its array follows",
    () => ({ dtype: "float32", shape: [1, 3], data: new Float32Array(resizable(12, 24)) }),
    canChange,
  ],
  ["a growable shared buffer", () => three(growable(12, 24)), canChange],
  ["a detached buffer", detached, isGone],
  ["a detached buffer, for a tensor without elements", () => ({ ...detached(), shape: [0, 3] }), isGone],
];

describe.each(backends)("$name rejects", ({ open }) => {
  let runtime: Runtime;
  let session: Session;
  beforeAll(async () => {
    runtime = await open();
    session = await runtime.load(addition, { threads: 1 });
  });
  afterAll(() => runtime.close());

  const a = floats([1, 3], [1, 2, 3]);
  const works = async () =>
    expect(await session.run({ a, b: a })).toEqual({ sum: floats([1, 3], [2, 4, 6]) });
  const usage = (message: string) => ({ code: "usage", message, hint: expect.stringContaining("slice()") });

  describe.each(kinds)("%s", (_, make, fault) => {
    const run = (feeds: Record<string, Feed>, options?: RunOptions) => session.run(feeds, options);

    test("as a feed", async () => {
      await expect(run({ a, b: make() })).rejects.toMatchObject(usage(`addition: input "b" ${fault}`));
      await works();
    });

    test("as an output", async () => {
      const outputs = { sum: make() };
      const { shape } = outputs.sum;
      const feeds = { a: zeros("float32", shape), b: zeros("float32", shape) };
      await expect(run(feeds, { outputs })).rejects.toMatchObject(usage(`addition: output "sum" ${fault}`));
      await works();
    });

    test("to be bound", async () => {
      expect(() => runtime.bind(make())).toThrow(
        expect.objectContaining(usage(`the tensor to be bound ${fault}`)),
      );
      await works();
    });

    test("as a weight", async () => {
      const { data } = make();
      const program: Program = {
        ...chain(1, 3),
        weights: new Map([["w", { dtype: "float32", shape: [1, 3], data }]]),
      };
      await expect(runtime.load(program)).rejects.toMatchObject(usage(`chain: weight "w" ${fault}`));
      await works();
    });

    test("as a model", async () => {
      const bytes = make().data as ArrayBufferView as Uint8Array;
      await expect(runtime.load({ ...addition, bytes })).rejects.toMatchObject(
        usage(`addition: the model ${fault}`),
      );
      await works();
    });
  });

  test("a bound tensor whose buffer was transferred since", async () => {
    const tensor = floats([1, 3], [1, 2, 3]);
    using bound = runtime.bind(tensor);
    await session.run({ a: bound, b: a });
    detach(tensor);
    await expect(session.run({ a: bound, b: a })).rejects.toMatchObject(
      usage(`addition: input "a" ${isGone}`),
    );
    await works();
  });

  test("a feed, or an output, whose buffer is transferred while the run waits for its turn", async () => {
    await using long = await runtime.load(
      chain(60, 512, () => 0),
      { threads: 1 },
    );
    const first = long.run({ x: zeros("float32", [512, 512]) });
    const x = floats([1, 512], () => 1);
    const y = floats([1, 512], () => 1);
    const whole = floats([1, 512], () => 1);
    const runs = [long.run({ x }), long.run({ x: whole }, { outputs: { y } }), long.run({ x: whole })];
    const outcomes = Promise.allSettled(runs);
    detach(x);
    detach(y);
    await first;
    expect(await outcomes).toMatchObject([
      { reason: usage(`chain: input "x" ${isGone}`) },
      { reason: usage(`chain: output "y" ${isGone}`) },
      { value: { y: { shape: [1, 512] } } },
    ]);
  });

  test("a buffer that was shrunk between two calls", async () => {
    const buffer = resizable(24, 24);
    const tensor = three(buffer, 12);
    await expect(session.run({ a, b: tensor })).rejects.toMatchObject(
      usage(`addition: input "b" ${canChange}`),
    );
    buffer.resize(8);
    await expect(session.run({ a, b: tensor })).rejects.toMatchObject(
      usage(`addition: input "b" ${canChange}`),
    );
    await works();
  });

  test("not memory that is shared and of one size, nor a copy of what is resizable", async () => {
    const shared = three(new SharedArrayBuffer(12));
    shared.data.set([1, 2, 3]);
    expect(await session.run({ a: shared, b: a })).toEqual({ sum: floats([1, 3], [2, 4, 6]) });
    const changing = three(resizable(12, 24));
    const copy = { ...changing, data: changing.data.slice() };
    expect(await session.run({ a: copy, b: a })).toEqual({ sum: a });
  });
});

test("ort.binding does not write to an output that was transferred during the run", async () => {
  await using runtime = await backends[1]!.open();
  await using session = await runtime.load(
    chain(60, 512, () => 0),
    { threads: 1 },
  );
  const y = zeros("float32", [512, 512]);
  const run = session.run({ x: zeros("float32", [512, 512]) }, { outputs: { y } });
  const outcome = expect(run).rejects.toMatchObject({
    code: "usage",
    message: `chain: output "y" ${isGone}`,
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  detach(y);
  await outcome;
});
