/** safetensors files, changed value by value in the header, whose length is right again. */
import { numbersIn } from "../../src/checkpoints/source.js";
import { bytes, le, safetensors } from "../checkpoints/assemble.js";
import { changed, otherBytes, otherNumber } from "./change.js";
import { latin1, readFile } from "./checkpoint.js";
import { otherJson } from "./json.js";
import type { FuzzKind } from "./kind.js";

const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const data = "\x01\x02\x03\x3f".repeat(8);
const seeds = [
  safetensors({ w: entry("F32", [2, 4], 0, 32) }, data),
  safetensors(
    { __metadata__: { format: "pt" }, b: entry("F16", [8], 16, 32), a: entry("I64", [2, 1, 1], 0, 16) },
    data,
  ),
  safetensors(
    { none: entry("F64", [0, 7], 8, 8), bool: entry("BOOL", [8], 0, 8), n: entry("BF16", [3, 4], 8, 32) },
    data,
  ),
  safetensors({}, ""),
].map(bytes);
const words = [
  "F32",
  "F64",
  "BF16",
  "U8",
  "F8_E5M2",
  "dtype",
  "shape",
  "data_offsets",
  "__metadata__",
  "a",
  "b",
  "w",
];

export const safetensorsKind: FuzzKind = {
  name: "safetensors",
  seeds: () => seeds,
  mutate(random, seed) {
    const file = latin1(seed);
    const length = file.charCodeAt(0) + 256 * file.charCodeAt(1);
    const header = latin1(Buffer.from(otherJson(random, file.slice(8, 8 + length), words)));
    const kept = file.slice(8 + length);
    const after = random.once(8) ? changed(random, kept, [(old) => otherBytes(random, old)]) : kept;
    const said = random.once(16) ? otherNumber(random, BigInt(header.length)) : header.length;
    return bytes(le(said, 8) + header + after);
  },
  run: (input, signal) =>
    readFile(input, signal, 8 + Number(numbersIn(input.slice(0, 8)).getBigUint64(0, true))),
};
