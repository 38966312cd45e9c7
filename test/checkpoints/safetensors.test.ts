import { expect, test } from "vitest";
import type { ErrorCode } from "../../src/base/errors.js";
import { defaultLimits } from "../../src/checkpoints/limits.js";
import { openSafetensors } from "../../src/checkpoints/safetensors.js";
import { expectError, float32, le, memoryFile, read, safetensors } from "./fixtures.js";

const open = (content: string) => openSafetensors(memoryFile(content, "weights"));
const f32 = (shape: number[], begin: number, end: number) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

test("tensors are listed and read, in any order of the data", async () => {
  const header = {
    __metadata__: { format: "pt" },
    b: f32([2], 4, 12),
    a: f32([], 0, 4),
    truth: { dtype: "BOOL", shape: [1], data_offsets: [12, 13] },
    none: f32([0, 5], 12, 12),
  };
  const checkpoint = await open(safetensors(header, `${float32(1, 2, 3)}\x01`));
  expect(Object.fromEntries(checkpoint.tensors)).toMatchObject({
    a: { dtype: "float32", shape: [] },
    b: { dtype: "float32", shape: [2] },
    none: { shape: [0, 5] },
    truth: { dtype: "bool", shape: [1] },
  });
  expect(await read(checkpoint, "a")).toEqual([1]);
  expect(await read(checkpoint, "b")).toEqual([2, 3]);
  expect(await read(checkpoint, "none")).toEqual([]);
  expect(await read(checkpoint, "truth")).toEqual([1]);
});

test("a tensor may be called __proto__", async () => {
  const checkpoint = await open(
    safetensors('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', float32(5)),
  );
  expect([...checkpoint.tensors.keys()]).toEqual(["__proto__"]);
  expect(await read(checkpoint, "__proto__")).toEqual([5]);
});

test("a name that is not there is an error of the caller", async () => {
  const checkpoint = await open(safetensors({ a: f32([1], 0, 4) }, float32(1)));
  await expect(checkpoint.read("toString", new Float32Array(1))).rejects.toMatchObject({ code: "internal" });
});

const one = safetensors({ a: f32([1], 0, 4) }, float32(1));
const entry = (fields: object) => safetensors({ a: { ...f32([1], 0, 4), ...fields } }, float32(1));
const broken: [what: string, content: string, message: string, code?: ErrorCode][] = [
  ["seven bytes", "\x00".repeat(7), "is 7 bytes long"],
  ["a file cut inside its header", one.slice(0, 20), "says its header ends at byte"],
  ["a file cut inside its data", one.slice(0, -1), "the tensors take 4 bytes, the file holds 3"],
  [
    "a tensor given more bytes than it takes",
    safetensors({ a: f32([1], 0, 8) }, float32(1, 2)),
    "takes 4 bytes",
  ],
  ["bytes after the data", `${one}!`, "the tensors take 4 bytes, the file holds 5"],
  ["a header length of 2^63", le(2n ** 63n, 8) + one.slice(8), "has a header of 9223372036854776000 bytes"],
  ["a header that is not UTF-8", safetensors('{"\xff":{}}'), "is not UTF-8"],
  ["a header that is not JSON", safetensors("{oops"), "the header is not valid JSON"],
  ["a header that is a list", safetensors("[]"), "must be a JSON object"],
  ["a name given twice", safetensors('{"a":1,"b":{"a":2},"\\u0061":3}'), 'holds the name "a" twice'],
  ["a key given twice inside an entry", safetensors('{"a":{"shape":[1],"shape":[2]}}'), '"shape" twice'],
  [
    "a header nested 101 deep",
    safetensors(`{"a":${"[".repeat(100)}${"]".repeat(100)}}`),
    "nests more than 100 deep",
  ],
  ["an entry that is no object", safetensors('{"a":7}'), '"a" is not an object'],
  ["metadata that is not text", safetensors({ __metadata__: { n: 1 } }), "__metadata__ must hold text"],
  ["a type that is not read", entry({ dtype: "U64" }), '"a" has dtype "U64"', "checkpoint-rejected"],
  ["a type that is a number", entry({ dtype: 1 }), '"a" has dtype 1', "checkpoint-rejected"],
  ["a negative size", entry({ shape: [-1] }), 'number "-1", at its character 29'],
  ["a size of 2^53 + 1", entry({ shape: [2 ** 53 + 1] }), 'number "9007199254740992", at'],
  ["a fraction as a size", entry({ shape: [0.5] }), 'number "0.5", at'],
  ["a size that is a text", entry({ shape: ["1"] }), '"a" has shape ["1"]'],
  ...["-0", "1.0", "1e0", "1e400", "9007199254740993", "1.0000000000000000001"].map(
    (number): [string, string, string] => [
      `a size written as ${number}`,
      safetensors(`{"a\\"1.5":{"dtype":"F32","data_offsets":[0,4],"shape":[${number}]}}`, float32(1)),
      `number "${number}", at its character 55, is no size or offset in plain digits`,
    ],
  ),
  ["a shape that is no list", entry({ shape: 1 }), '"a" has shape 1'],
  ["three offsets", entry({ data_offsets: [0, 4, 8] }), '"a" has data_offsets [0,4,8]'],
  ["offsets the wrong way round", entry({ data_offsets: [4, 0] }), '"a", float32 of [1], takes 4 bytes'],
  [
    "a shape and a type that are not its bytes",
    entry({ shape: [2] }),
    "takes 8 bytes, but is given bytes 0 to 4",
  ],
  ["a product beyond 2^53", entry({ shape: [2 ** 30, 2 ** 30] }), "takes 4611686018427388000 bytes"],
  ["offsets outside the file", entry({ data_offsets: [400, 404] }), "bytes 0 to 400"],
  [
    "tensors that overlap",
    safetensors({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, float32(1, 2, 3)),
    '"b" starts at byte 4, inside the tensor before it',
  ],
  [
    "a hole between tensors",
    safetensors({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, float32(1, 2, 3)),
    'bytes 4 to 8, before "b", are no tensor\'s',
  ],
];
for (const [what, content, message, code = "checkpoint-damaged"] of broken) {
  test(`${what}: rejected with a specific error`, async () => {
    await expectError(() => open(content), code, "weights: ", message);
  });
}

test("a header above the limit is not read", async () => {
  const limits = { ...defaultLimits, headerBytes: 10 };
  const action = () => openSafetensors(memoryFile(one), { limits });
  await expectError(action, "checkpoint-damaged", "at most 10 are read");
});
