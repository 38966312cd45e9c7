/**
 * The kernel of `quantize.ts`: rows of blocks to integers and scales, four numbers at a time. The format is in
 * `src/graph/ops/quantized.ts`.
 */
import {
  type Code,
  compileModule,
  defineFunction,
  double,
  f32,
  f32x4,
  f64,
  float,
  get,
  i16x8,
  i32,
  i32x4,
  int,
  repeat,
  select,
  set,
  u8x16,
  type Variable,
  v128,
  type WasmModule,
  when,
  writeModule,
} from "../base/wasm.js";

/**
 * Steps between the tried scales, and how many to either side: from 7.1 to 8.9 of 8. Steps of 0.1 lower the error of
 * Gaussian numbers by another thousandth of it, and take twice the time.
 */
const [step, tried] = [0.3, 3];

/**
 * A block whose largest magnitude is not above the first is all zeros: the inverse of its scale would be no float32. From
 * the second on there is no search: its sums might not be.
 */
const [smallest, searched] = [1e-36, 1e30];

/** Memory of a kernel: a few hundred thousand numbers, with what they become. Several threads see it. */
export const kernelMemory = { pages: 64, shared: true };

/** The functions of the module, by the bits of a number. */
export const kernelOf = { 4: "quantize4", 8: "quantize8" } as const;

let compiled: WasmModule | undefined;
/** Compiled once for all threads. */
export function kernelModule(): WasmModule {
  compiled ??= compileModule(writeModule([quantizeRows(4), quantizeRows(8)], kernelMemory));
  return compiled;
}

const variables = {
  parameters: ["x", "stop", "weights", "weightsStop", "values", "scales", "blockBytes"],
  locals: {
    at: "i32",
    weightAt: "i32",
    blockWeights: "i32",
    blockStop: "i32",
    attempt: "i32",
    largest: "f32",
    scale: "f32",
    inverse: "f32",
    product: "f64",
    square: "f64",
    gain: "f64",
    lowest: "v128",
    highest: "v128",
    inverses: "v128",
    numbers: "v128",
    integers: "v128",
    weighted: "v128",
    products: "v128",
    squares: "v128",
  },
} as const;

type Names = (typeof variables.parameters)[number] | keyof typeof variables.locals;
type Variables = Readonly<Record<Names, Variable>>;

/**
 * Rows of float32s from `x` to `stop`, as long as the `weights` of their columns, in blocks of `blockBytes`: each block
 * becomes one of `values` and a scale.
 */
const quantizeRows = (bits: 4 | 8) =>
  defineFunction(kernelOf[bits], variables, (v) => {
    const middle = 2 ** (bits - 1);
    // The extreme number becomes 0, or as near to it as its rounding allows. With 8 bits, a search gains nothing.
    const plainScale = set(v.scale, f32.div(get(v.largest), float(-middle)));
    const findScale = bits === 4 ? when(f32.gt(float(searched), f32.abs(get(v.largest))), search(v)) : [];
    const block = [
      ...set(v.blockStop, i32.add(get(v.x), get(v.blockBytes))),
      ...findExtreme(v),
      ...set(v.scale, float(0)),
      ...set(v.inverse, float(0)),
      ...when(f32.gt(f32.abs(get(v.largest)), float(smallest)), [
        ...plainScale,
        ...findScale,
        ...set(v.inverse, f32.div(float(1), get(v.scale))),
      ]),
      ...f32.store(get(v.scales), get(v.scale)),
      ...round(v, bits),
      ...advance(v.scales, 4),
      ...set(v.x, get(v.blockStop)),
      ...set(v.blockWeights, i32.add(get(v.blockWeights), get(v.blockBytes))),
      ...when(i32.eq(get(v.blockWeights), get(v.weightsStop)), set(v.blockWeights, get(v.weights))), // the next row
    ];
    return [...set(v.blockWeights, get(v.weights)), ...repeat(block, i32.ltU(get(v.x), get(v.stop)))];
  });

const advance = (pointer: Variable, bytes: number): Code => set(pointer, i32.add(get(pointer), int(bytes)));

/** Goes over the numbers of the block. */
const overBlock = (v: Variables, body: Code, bytes: number): Code => [
  ...set(v.at, get(v.x)),
  ...repeat([...body, ...advance(v.at, bytes)], i32.ltU(get(v.at), get(v.blockStop))),
];

const zeros = f32x4.splat(float(0));

/** Four numbers in one. */
function joined(join: (a: Code, b: Code) => Code, of: Variable): Code {
  const lane = (i: 0 | 1 | 2 | 3) => f32x4.lane(get(of), i);
  return join(join(lane(0), lane(1)), join(lane(2), lane(3)));
}

const clamp = (numbers: Code, least: number, most: number): Code =>
  f32x4.min(f32x4.max(numbers, f32x4.splat(float(least))), f32x4.splat(float(most)));

/** `largest` becomes the number of the largest magnitude, with its sign. */
const findExtreme = (v: Variables): Code => [
  ...set(v.highest, zeros),
  ...set(v.lowest, zeros),
  ...overBlock(
    v,
    [
      ...set(v.highest, f32x4.max(get(v.highest), v128.load(get(v.at)))),
      ...set(v.lowest, f32x4.min(get(v.lowest), v128.load(get(v.at)))),
    ],
    16,
  ),
  ...set(v.largest, joined(f32.max, v.highest)),
  ...set(v.scale, joined(f32.min, v.lowest)),
  ...set(v.largest, select(get(v.largest), get(v.scale), f32.ge(get(v.largest), f32.neg(get(v.scale))))),
];

/**
 * `scale` becomes the one with the smallest weighted error Σ w (x − l · scale)², l from −8 to 7. For given integers l the
 * best is Σ w l x / Σ w l², and it lowers the error by (Σ w l x)² / Σ w l².
 */
function search(v: Variables): Code {
  const sumUp = [
    ...set(v.numbers, v128.load(get(v.at))),
    ...set(v.integers, clamp(f32x4.nearest(f32x4.mul(get(v.numbers), get(v.inverses))), -8, 7)),
    ...set(v.weighted, f32x4.mul(v128.load(get(v.weightAt)), get(v.integers))),
    ...set(v.products, f32x4.add(get(v.products), f32x4.mul(get(v.weighted), get(v.numbers)))),
    ...set(v.squares, f32x4.add(get(v.squares), f32x4.mul(get(v.weighted), get(v.integers)))),
    ...advance(v.weightAt, 16),
  ];
  const squared = f64.mul(get(v.product), get(v.product));
  const inverse = f32.add(float(-8 - step * tried), f32.mul(f32.fromInt(get(v.attempt)), float(step)));
  const attempt = [
    ...set(v.inverses, f32x4.splat(f32.div(inverse, get(v.largest)))),
    ...set(v.products, zeros),
    ...set(v.squares, zeros),
    ...set(v.weightAt, get(v.blockWeights)),
    ...overBlock(v, sumUp, 16),
    ...set(v.product, f64.fromFloat(joined(f32.add, v.products))),
    ...set(v.square, f64.fromFloat(joined(f32.add, v.squares))),
    ...when(i32.and(f64.gt(get(v.square), double(0)), f64.gt(squared, f64.mul(get(v.gain), get(v.square)))), [
      ...set(v.gain, f64.div(squared, get(v.square))),
      ...set(v.scale, f32.fromDouble(f64.div(get(v.product), get(v.square)))),
    ]),
    ...advance(v.attempt, 1),
  ];
  return [
    ...set(v.gain, double(-1)),
    ...set(v.attempt, int(0)),
    ...repeat(attempt, i32.ltU(get(v.attempt), int(2 * tried + 1))),
  ];
}

/** Writes the integers of the block: x times `inverse`, rounded, plus the middle. */
function round(v: Variables, bits: 4 | 8): Code {
  const middle = 2 ** (bits - 1);
  const integers = (offset: number): Code => {
    const rounded = f32x4.nearest(f32x4.mul(v128.load(get(v.at), offset), get(v.inverses)));
    return i32x4.fromFloats(clamp(f32x4.add(rounded, f32x4.splat(float(middle))), 0, 2 * middle - 1));
  };
  const bytes = u8x16.narrow(
    i16x8.narrow(integers(0), integers(16)),
    i16x8.narrow(integers(32), integers(48)),
  );
  // Two bytes as one number of 16 bits: moved by four, the upper one stands above the lower.
  const pairs = v128.or(get(v.integers), i16x8.shiftRight(get(v.integers), int(4)));
  const halves = [
    ...set(v.integers, bytes),
    ...set(v.integers, v128.and(pairs, i16x8.splat(int(255)))),
    ...v128.store64(get(v.values), u8x16.narrow(get(v.integers), get(v.integers))),
    ...advance(v.values, 8),
  ];
  const whole = [...v128.store(get(v.values), bytes), ...advance(v.values, 16)];
  return [...set(v.inverses, f32x4.splat(get(v.inverse))), ...overBlock(v, bits === 4 ? halves : whole, 64)];
}
