/**
 * Float16, IEEE half precision, for all weights of a model: rounding to it, and from its 16 bits to float32 and back.
 *
 * Rounding: near 2^(e+13), float32s lie 2^(e−10) apart, as float16s do from 2^e to 2^(e+1). So (x + 2^(e+13)) − 2^(e+13)
 * is x rounded to float16, to the even one of two that are equally near; below 2^−14, with that e, it is rounded in the
 * steps of its subnormal numbers. Conversion: the exponents of the two types begin 112 apart, which a product with
 * 2^±112 makes up for; then their bits are the same, 13 places apart.
 */
import { halfToFloat } from "./dtypes.js";
import { floatsAt, halvesAt, inVectors, memoryOfPiece, pieceLength } from "./pieces.js";
import {
  type Code,
  compileModule,
  createMemory,
  defineFunction,
  f32x4,
  float,
  get,
  i32,
  i32x4,
  instantiate,
  int,
  repeat,
  set,
  u16x8,
  type Variable,
  v128,
  writeModule,
} from "./wasm.js";

/** The largest float16. */
export const largestHalf = 65504;

const word = (bits: number): Code => i32x4.splat(int(bits | 0));
const magnitude = (x: Variable): Code => v128.and(get(x), word(0x7fffffff));
const sign = (x: Variable): Code => v128.and(get(x), word(0x80000000));
const advance = (pointer: Variable, bytes: number): Code => set(pointer, i32.add(get(pointer), int(bytes)));

/** Four float32s as the bits of float16s, which they are: the sign is the 16th. */
function narrowed(x: Variable): Code {
  const bits = i32x4.shiftRight(f32x4.mul(magnitude(x), f32x4.splat(float(2 ** -112))), int(13));
  return v128.or(bits, i32x4.shiftRight(sign(x), int(16)));
}

/** Four float16s, each in 32 bits, as float32s. */
function widened(bits: Variable): Code {
  const size = i32x4.shiftLeft(v128.and(get(bits), word(0x7fff)), int(13));
  const isNegative = i32x4.shiftLeft(v128.and(get(bits), word(0x8000)), int(16));
  return v128.or(f32x4.mul(size, f32x4.splat(float(2 ** 112))), isNegative);
}

const functions = [
  defineFunction(
    "round", // the float32s from `from` to `stop` to the nearest float16; whether one is beyond the largest
    { parameters: ["from", "stop"], locals: { x: "v128", step: "v128", over: "v128" }, returns: true },
    ({ from, stop, x, step, over }) => [
      ...repeat(
        [
          ...set(x, v128.load(get(from))),
          // 2^(e+13), with the exponent of x, or that of the smallest normal float16
          ...set(
            step,
            i32x4.add(i32x4.max(v128.and(get(x), word(0x7f800000)), word(113 << 23)), word(13 << 23)),
          ),
          ...set(step, f32x4.sub(f32x4.add(magnitude(x), get(step)), get(step))),
          ...v128.store(get(from), v128.or(get(step), sign(x))),
          // What is above 65504, as bits, reaches the sign's bit.
          ...set(over, v128.or(get(over), i32x4.add(get(step), word(0x7fffffff - 0x477fe000)))),
          ...advance(from, 16),
        ],
        i32.ltU(get(from), get(stop)),
      ),
      ...v128.anyTrue(v128.and(get(over), word(0x80000000))),
    ],
  ),
  defineFunction(
    "narrow", // the float32s from `from` to `stop`, which are float16s, to their 16 bits at `to`
    { parameters: ["from", "stop", "to"], locals: { a: "v128", b: "v128" } },
    ({ from, stop, to, a, b }) =>
      repeat(
        [
          ...set(a, v128.load(get(from))),
          ...set(b, v128.load(get(from), 16)),
          ...v128.store(get(to), u16x8.narrow(narrowed(a), narrowed(b))),
          ...advance(from, 32),
          ...advance(to, 16),
        ],
        i32.ltU(get(from), get(stop)),
      ),
  ),
  defineFunction(
    "widen", // the 16 bits from `from` to `stop` to float32s at `to`; whether one is not finite
    {
      parameters: ["from", "stop", "to"],
      locals: { halves: "v128", part: "v128", over: "v128" },
      returns: true,
    },
    ({ from, stop, to, halves, part, over }) => [
      ...repeat(
        [
          ...set(halves, v128.load(get(from))),
          ...set(part, i32x4.fromLower(get(halves))),
          ...v128.store(get(to), widened(part)),
          ...set(part, i32x4.fromUpper(get(halves))),
          ...v128.store(get(to), widened(part), 16),
          // Where all five bits of the exponent are set, one step more reaches the sign's bit.
          ...set(part, i32x4.add(v128.and(get(halves), word(0x7fff7fff)), word(0x04000400))),
          ...set(over, v128.or(get(over), get(part))),
          ...advance(from, 16),
          ...advance(to, 32),
        ],
        i32.ltU(get(from), get(stop)),
      ),
      ...v128.anyTrue(v128.and(get(over), word(0x80008000))),
    ],
  ),
];

function createKernel() {
  const memory = createMemory(memoryOfPiece);
  const { round, narrow, widen } = instantiate(compileModule(writeModule(functions, memoryOfPiece)), memory);
  const floats = new Float32Array(memory.buffer, floatsAt, pieceLength);
  const halves = new Uint16Array(memory.buffer, halvesAt, pieceLength);
  return { round: round!, narrow: narrow!, widen: widen!, floats, halves };
}

let kernel: ReturnType<typeof createKernel> | undefined;

/**
 * Rounds numbers to the nearest float16, in place.
 *
 * @param values finite ones
 * @returns where the first is that float16 does not reach; undefined: all are float16s now
 */
export function roundToHalf(values: Float32Array): number | undefined {
  kernel ??= createKernel();
  const { floats, round } = kernel;
  for (let at = 0; at < values.length; at += pieceLength) {
    const piece = values.subarray(at, at + pieceLength);
    floats.set(piece);
    const isBeyond = round(floatsAt, floatsAt + 4 * inVectors(piece.length)) !== 0;
    const place = isBeyond ? piece.findIndex((_, i) => !(Math.abs(floats[i]!) <= largestHalf)) : -1;
    if (place >= 0) return at + place;
    piece.set(floats.subarray(0, piece.length));
  }
  return undefined;
}

/** The 16 bits of numbers that are float16s. */
export function toHalves(values: Float32Array): Uint16Array<ArrayBuffer> {
  kernel ??= createKernel();
  const { floats, halves, narrow } = kernel;
  const bits = new Uint16Array(values.length);
  for (let at = 0; at < values.length; at += pieceLength) {
    const piece = values.subarray(at, at + pieceLength);
    floats.set(piece);
    narrow(floatsAt, floatsAt + 4 * inVectors(piece.length), halvesAt);
    bits.set(halves.subarray(0, piece.length), at);
  }
  return bits;
}

/**
 * From the 16 bits of float16s to float32.
 *
 * @returns whether all are finite
 */
export function widenHalves(bits: Uint16Array, into: Float32Array): boolean {
  kernel ??= createKernel();
  const { floats, halves, widen } = kernel;
  let areFinite = true;
  for (let at = 0; at < bits.length; at += pieceLength) {
    const piece = bits.subarray(at, at + pieceLength);
    halves.set(piece);
    halves.fill(0, piece.length, inVectors(piece.length));
    if (widen(halvesAt, halvesAt + 2 * inVectors(piece.length), floatsAt) === 0) {
      into.set(floats.subarray(0, piece.length), at);
    } else {
      areFinite = false;
      piece.forEach((each, i) => {
        into[at + i] = halfToFloat(each);
      });
    }
  }
  return areFinite;
}
