import { expect, test } from "vitest";
import { type DType, elementCount } from "../../src/base/dtypes.js";
import { contiguousStrides, readView, type TensorView } from "../../src/checkpoints/view.js";
import { float32, le, memoryFile } from "./fixtures.js";

async function values(content: string | Uint8Array, view: TensorView): Promise<Float32Array> {
  const into = new Float32Array(elementCount(view.shape));
  await readView(memoryFile(content), view, into);
  return into;
}

const row = async (dtype: DType, content: string, size: number) => [
  ...(await values(content, { dtype, shape: [size], strides: [1], start: 0 })),
];

test("half precision becomes the same number in float32", async () => {
  const halves: [bits: number, value: number][] = [
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504], // the largest
    [0x0400, 2 ** -14], // the smallest normal
    [0x03ff, 2 ** -14 - 2 ** -24], // the largest subnormal
    [0x0001, 2 ** -24], // the smallest
    [0x8001, -(2 ** -24)],
    [0x0000, 0],
    [0x8000, -0],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
    [0x7c01, Number.NaN],
  ];
  const content = halves.map(([bits]) => le(bits, 2)).join("");
  expect(await row("float16", content, halves.length)).toEqual(halves.map(([, value]) => value));
});

test("bfloat16 becomes the same number in float32", async () => {
  const words: [bits: number, value: number][] = [
    [0x3f80, 1],
    [0xc040, -3],
    [0x3eab, 0.333984375],
    [0x7f7f, 3.3895313892515355e38], // the largest
    [0x0080, 2 ** -126], // the smallest normal
    [0x0001, 2 ** -133], // the smallest
    [0x8000, -0],
    [0x7f80, Number.POSITIVE_INFINITY],
    [0xff80, Number.NEGATIVE_INFINITY],
    [0x7fc0, Number.NaN],
  ];
  const content = words.map(([bits]) => le(bits, 2)).join("");
  expect(await row("bfloat16", content, words.length)).toEqual(words.map(([, value]) => value));
});

test("whole numbers and truth values become float32", async () => {
  expect(await row("int64", le(-5, 8) + le(2n ** 24n + 1n, 8), 2)).toEqual([-5, 2 ** 24]);
  expect(await row("int32", le(-7, 4), 1)).toEqual([-7]);
  expect(await row("int16", le(-300, 2), 1)).toEqual([-300]);
  expect(await row("int8", "\xff\x7f", 2)).toEqual([-1, 127]);
  expect(await row("uint8", "\xff", 1)).toEqual([255]);
  expect(await row("bool", "\x01\x00", 2)).toEqual([1, 0]);
});

/** The definition: element (i, j, …) of the result is element Σ i·stride of the storage. */
function gathered(storage: Float32Array, { shape, strides }: TensorView): Float32Array {
  const steps = contiguousStrides(shape);
  return Float32Array.from({ length: elementCount(shape) }, (_, n) =>
    shape.reduce((at, size, axis) => at + (Math.floor(n / steps[axis]!) % size) * strides[axis]!, 0),
  ).map((at) => storage[at]!);
}

const views: [what: string, shape: number[], strides: number[]][] = [
  ["a single number", [], []],
  ["a tensor of one element, whose strides do not matter", [1, 1], [7, 9]],
  ["a tensor without elements", [3, 0, 2], [0, 2, 1]],
  ["rows one after the other, longer than a piece", [1500, 1000], [1000, 1]],
  ["a transposed matrix, longer than a piece", [1500, 1000], [1, 1500]],
  ["three axes turned round", [120, 110, 100], [1, 12000, 120]],
  ["every third column", [1000, 500], [1500, 3]],
  ["a row repeated", [4, 300], [0, 1]],
  ["overlapping windows", [500, 40], [3, 1]],
  ["rows far apart, each longer than a piece", [2, 1_100_000], [1_200_000, 1]],
];
for (const [what, shape, strides] of views) {
  test(`${what}: read as the strides say`, async () => {
    const last = shape.reduce((at, size, axis) => at + (size - 1) * strides[axis]!, 0);
    const storage = Float32Array.from({ length: Math.max(0, last) + 3 }, (_, i) => i);
    const view: TensorView = { dtype: "float32", shape, strides, start: 8 };
    const found = await values(new Uint8Array(storage.buffer), view);
    // Compared by bytes: the test library takes seconds for a million numbers.
    expect(
      Buffer.compare(Buffer.from(found.buffer), Buffer.from(gathered(storage.subarray(2), view).buffer)),
    ).toBe(0);
  });
}

test("a buffer of another size is rejected", async () => {
  const view: TensorView = { dtype: "float32", shape: [2], strides: [1], start: 0 };
  const action = readView(memoryFile(float32(1, 2)), view, new Float32Array(3));
  await expect(action).rejects.toMatchObject({
    code: "internal",
    message: expect.stringContaining("2 values"),
  });
});

test("reading stops between pieces when it is cancelled", async () => {
  const size = 3 * 2 ** 20;
  const source = memoryFile(new Uint8Array(size));
  const controller = new AbortController();
  let readings = 0;
  const counting = {
    ...source,
    read: (offset: number, into: Uint8Array) => {
      if (++readings === 2) controller.abort(new Error("stopped"));
      return source.read(offset, into);
    },
  };
  const view: TensorView = { dtype: "uint8", shape: [size], strides: [1], start: 0 };
  await expect(readView(counting, view, new Float32Array(size), controller.signal)).rejects.toThrow(
    "stopped",
  );
  expect(readings).toBe(2);
});
