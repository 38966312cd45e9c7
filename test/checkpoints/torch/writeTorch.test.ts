/** Torch archives as we write them: read by our own reader, and of torch's own form. `bench/peers/checkpoints.py` asks torch. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bfloat16ToFloat, floatToBfloat16, floatToHalf } from "../../../src/base/halfPrecision.js";
import { randomStream } from "../../../src/base/random.js";
import { defaultLimits } from "../../../src/checkpoints/limits.js";
import { openCheckpoint } from "../../../src/checkpoints/openCheckpoint.node.js";
import { unpickle } from "../../../src/checkpoints/torch/pickle.js";
import { pickle, type TorchValue } from "../../../src/checkpoints/torch/writePickle.js";
import { readZip } from "../../../src/checkpoints/torch/zip.js";
import { writeSafetensors } from "../../../src/checkpoints/writeSafetensors.node.js";
import { torchFile, writeTorch } from "../../../src/checkpoints/writeTorch.node.js";
import type { WrittenTensor } from "../../../src/checkpoints/writtenTensor.js";
import { expectError, read, temporaryFolder } from "../fixtures.js";

const stream = randomStream(1, "tensors to write");
const random = (shape: readonly number[], at = 0): WrittenTensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => stream.normal(i, at)),
});
const tensors = new Map<string, WrittenTensor>([
  ["wide", random([3, 350_001], 0)], // two pieces
  ["scalar", random([], 1)],
  ["empty", random([0, 4], 2)],
  ["cube", random([2, 3, 4], 3)],
  ["ids", { dtype: "int64", shape: [3], data: BigInt64Array.of(-1n, 2n, 2n ** 40n) }],
  ["half", { ...random([5, 7], 4), dtype: "float16" } as WrittenTensor],
  ["brain", { ...random([5, 7], 5), dtype: "bfloat16" } as WrittenTensor],
]);
const stateDict = (of = tensors): TorchValue => ({
  orderedDict: new Map([...of].map(([name, tensor]) => [name, { tensor }])),
});

/** What a float32 reader makes of a tensor. */
function expected({ data, dtype }: WrittenTensor): number[] {
  if (dtype === "bfloat16")
    return [...(data as Float32Array)].map((x) => bfloat16ToFloat(floatToBfloat16(x)));
  if (dtype === "float16") {
    return [...(data as Float32Array)].map((x) => new Float32Array(Float16(floatToHalf(x)))[0]!);
  }
  return [...data].map(Number);
}
const Float16 = (bits: number) => {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return [bits & 0x8000 ? -size : size];
};

const small = new Map([...tensors].filter(([name]) => name !== "wide"));

async function expectSame(path: string, written = tensors) {
  const checkpoint = await openCheckpoint(path);
  try {
    expect([...checkpoint.tensors].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual(
      [...written].map(([name, { dtype = "float32", shape }]) => [name, dtype, shape]),
    );
    for (const [name, tensor] of written) {
      const [values, wanted] = [await read(checkpoint, name), expected(tensor)];
      expect(values.length).toBe(wanted.length);
      expect(values.findIndex((value, i) => value !== wanted[i])).toBe(-1);
    }
  } finally {
    await checkpoint.close();
  }
}

test("a state dict of all types is read back bit for bit, as .pt and as .safetensors", async () => {
  const folder = temporaryFolder();
  await writeTorch(join(folder, "model.pt"), stateDict());
  await expectSame(join(folder, "model.pt"));
  await writeSafetensors(join(folder, "model.safetensors"), tensors);
  await expectSame(join(folder, "model.safetensors"));
  expect(readdirSync(folder).sort()).toEqual(["model.pt", "model.safetensors"]);
});

test("sizes and places in 64 bits are read as well", async () => {
  for (const wideFrom of [0, 100, 1500]) {
    const path = join(temporaryFolder(), "wide.pt");
    writeFileSync(path, Buffer.concat([...torchFile(stateDict(small), "wide", wideFrom)]));
    await expectSame(path, small);
  }
});

test("an archive has torch's names and begins each entry at a multiple of 64 bytes", async () => {
  const path = join(temporaryFolder(), "run.best.pt");
  await writeTorch(path, stateDict());
  const bytes = readFileSync(path);
  const entries = await readZip({
    ...{ name: path, size: bytes.length, close: async () => {} },
    read: async (offset, into) => {
      into.set(bytes.subarray(offset, offset + into.length));
      return into;
    },
  });
  expect([...entries.keys()]).toEqual(
    ["data.pkl", "byteorder", ...[...tensors.keys()].map((_, i) => `data/${i}`), "version"].map(
      (name) => `run.best/${name}`,
    ),
  );
  expect([...entries.values()].map(({ start }) => start % 64)).toEqual([...entries].map(() => 0));
});

test("plain values keep their kinds", () => {
  const value: TorchValue = new Map<string | number, TorchValue>([
    [
      "integers",
      [0, 255, 256, -1, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER],
    ],
    ["floats", [{ float: 1 }, 1e-8, -0.5, Number.POSITIVE_INFINITY]],
    ["others", [null, true, false, "ä \u{1f600}", "", { tuple: [] }, { tuple: [1, "a"] }, [], new Map()]],
    [7, new Map([[0, "x"]])],
  ]);
  const { bytes } = pickle(value);
  expect(unpickle(bytes, "test", defaultLimits)).toEqual(
    new Map<unknown, unknown>([
      ["integers", (value as Map<string, unknown>).get("integers")],
      ["floats", [1, 1e-8, -0.5, Number.POSITIVE_INFINITY]],
      ["others", [null, true, false, "ä \u{1f600}", "", [], [1, "a"], [], new Map()]],
      [7, new Map([[0, "x"]])],
    ]),
  );
  // A whole number that is a float in Python is written as one.
  expect(Buffer.from(pickle({ float: 1 }).bytes).toString("latin1")).toBe(
    "\x80\x02G\x3f\xf0\x00\x00\x00\x00\x00\x00.",
  );
});

test("numbers that float16 and bfloat16 do not reach, and those that are none", async () => {
  const data = Float32Array.of(65519, 65520, -65520, Number.NaN, Number.POSITIVE_INFINITY, 3.4e38, 1);
  const path = join(temporaryFolder(), "model.pt");
  const both = (["float16", "bfloat16"] as const).map(
    (dtype) => [dtype, { dtype, shape: [data.length], data }] as const,
  );
  await writeTorch(path, stateDict(new Map<string, WrittenTensor>(both)));
  const checkpoint = await openCheckpoint(path);
  const infinity = Number.POSITIVE_INFINITY;
  expect(await read(checkpoint, "float16")).toEqual([
    65504,
    infinity,
    -infinity,
    Number.NaN,
    infinity,
    infinity,
    1,
  ]);
  expect(await read(checkpoint, "bfloat16")).toEqual([
    65536,
    65536,
    -65536,
    Number.NaN,
    infinity,
    infinity,
    1,
  ]);
  await checkpoint.close();
});

test("a tensor whose shape is not that of its numbers is a bug, and leaves no file", async () => {
  const folder = temporaryFolder();
  const wrong = new Map<string, WrittenTensor>([["w", { shape: [2], data: new Float32Array(3) }]]);
  await expectError(() => writeTorch(join(folder, "a.pt"), stateDict(wrong)), "internal", "[2]", "3 numbers");
  await expectError(
    () => writeSafetensors(join(folder, "a.safetensors"), wrong),
    "internal",
    "w of shape [2]",
  );
  expect(readdirSync(folder)).toEqual([]);
});
