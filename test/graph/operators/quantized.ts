/** Cases of weights in few bits, in blocks and in rows. */
import {
  type BlockFormat,
  dequantize,
  partShapes,
  quantizedGather,
  quantizedLinear,
  rowQuantizedLinear,
} from "../../../src/graph/index.js";
import { array, at, noise, type Plain, sumOf } from "../arrays.js";
import { type Cases, exactly, floats, type Given, ints, testCase } from "./cases.js";

const bytes = (shape: readonly number[]): Given => ({
  dtype: "uint8",
  shape,
  values: (_, seed) => {
    const { data } = noise(shape, seed, [0, 256]);
    return { shape, data: data.map((value) => Math.floor(value)) };
  },
});

/** Number k of row n: the bits of its byte, the first number lowest, less the middle, times its block's scale. */
function numberAt(values: Plain, scales: Plain, { bits, block }: BlockFormat, n: number, k: number): number {
  const [b, i] = [Math.floor(k / block), k % block];
  const byte = at(values, n, b, Math.floor((i * bits) / 8));
  const q = bits === 8 ? byte : i % 2 === 0 ? byte % 16 : Math.floor(byte / 16);
  return (q - 2 ** (bits - 1)) * at(scales, n, b);
}

const formats = [
  { bits: 4, block: 16, n: 3, k: 32 },
  { bits: 4, block: 32, n: 2, k: 40 },
  { bits: 8, block: 16, n: 3, k: 16 },
  { bits: 8, block: 16, n: 1, k: 20 },
] as const;
const named = ({ bits, block, n, k }: (typeof formats)[number]) =>
  `${n} rows of ${k} numbers in ${bits} bits, in blocks of ${block}`;

/** x that its rounding to 8 bits leaves as it is: sixty-fourths, with the largest of a row 127 of them. */
const sixtyFourths = (shape: Given["shape"]): Given => ({
  dtype: "float32",
  shape,
  values: (lengths, seed) => {
    const { data } = noise(lengths, seed, [-127, 128]);
    const k = lengths.at(-1)!;
    return { shape: lengths, data: data.map((value, i) => (i % k === 0 ? 127 : Math.floor(value)) / 64) };
  },
});

export const quantized: Cases = {
  dequantize: formats.map(({ n, k, ...format }) => {
    const shapes = partShapes(format, [n, k]);
    return testCase(
      named({ n, k, ...format } as (typeof formats)[number]),
      { values: bytes(shapes.values), scales: floats(shapes.scales) },
      ({ values, scales }) => dequantize(values, scales, { ...format, width: k }),
      ({ values, scales }) => array([n, k], (i, j) => numberAt(values, scales, format, i!, j!)),
    );
  }),
  quantizedLinear: formats
    .filter(({ bits }) => bits === 4) // with 8 bits the kernel always rounds x: test/graph/quantize.test.ts
    .map(({ n, k, ...format }) => {
      const shapes = partShapes(format, [n, k]);
      return testCase(
        named({ n, k, ...format } as (typeof formats)[number]),
        {
          x: floats(["b", "t", k], [-0.1, 0.1]),
          values: bytes(shapes.values),
          scales: floats(shapes.scales, [0.05, 0.1]),
        },
        ({ x, values, scales }) => quantizedLinear(x, values, scales, { ...format, exact: true }),
        ({ x, values, scales }) =>
          array([...x.shape.slice(0, -1), n], (b, t, i) =>
            sumOf(
              Array.from({ length: k }, (_, j) => at(x, b!, t!, j) * numberAt(values, scales, format, i!, j)),
            ),
          ),
      );
    }),
  quantizedGather: formats.map(({ n, k, ...format }) => {
    const shapes = partShapes(format, [n, k]);
    return testCase(
      named({ n, k, ...format } as (typeof formats)[number]),
      {
        values: bytes(shapes.values),
        scales: floats(shapes.scales),
        rows: exactly("int32", [2, 2], [0, n - 1, 0, 0]),
      },
      ({ values, scales, rows }) => quantizedGather(values, scales, rows, { ...format, width: k }),
      ({ values, scales, rows }) =>
        array([2, 2, k], (a, b, j) => numberAt(values, scales, format, at(rows, a!, b!), j!)),
    );
  }),
  rowQuantizedLinear: [
    { n: 3, k: 6 },
    { n: 1, k: 5 },
  ].map(({ n, k }) =>
    testCase(
      `${n} rows of ${k} numbers`,
      {
        x: sixtyFourths(["b", "t", k]),
        values: { ...ints([k, n], [-64, 64]), dtype: "int8" },
        scales: floats([n], [0.002, 0.004]),
      },
      ({ x, values, scales }) => rowQuantizedLinear(x, values, scales),
      ({ x, values, scales }) =>
        array([...x.shape.slice(0, -1), n], (b, t, i) =>
          sumOf(Array.from({ length: k }, (_, j) => at(x, b!, t!, j) * at(values, j, i!) * at(scales, i!))),
        ),
    ),
  ),
};
