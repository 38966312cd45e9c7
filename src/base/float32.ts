/**
 * Numbers of any type to float32, and whether they are finite: one pass through all weights of a model.
 *
 * A float32 is not finite where all eight bits of its exponent are set. Its magnitude and one step of the exponent then
 * reach the sign's bit; so for bfloat16, the upper half of a float32, two of which are looked at in one word.
 */
import { arrayTypes, bytesOf, type DType } from "./dtypes.js";
import { widenHalves } from "./float16.js";
import { floatsAt, halvesAt, inVectors, memoryOfPiece, pieceLength } from "./pieces.js";
import {
  compileModule,
  createMemory,
  defineFunction,
  get,
  i32,
  i32x4,
  instantiate,
  int,
  repeat,
  set,
  v128,
  writeModule,
} from "./wasm.js";

const overflowing = (word: number, magnitude: number, exponent: number) =>
  i32x4.add(v128.and(get(word), i32x4.splat(int(magnitude))), i32x4.splat(int(exponent)));

const functions = [
  defineFunction(
    "widen", // the halves from `from` to `stop` to float32s at `to`; whether one is not finite
    { parameters: ["from", "stop", "to"], locals: { halves: "v128", over: "v128" }, returns: true },
    ({ from, stop, to, halves, over }) => [
      ...repeat(
        [
          ...set(halves, v128.load(get(from))),
          ...v128.store(get(to), i32x4.shiftLeft(i32x4.fromLower(get(halves)), int(16))),
          ...v128.store(get(to), i32x4.shiftLeft(i32x4.fromUpper(get(halves)), int(16)), 16),
          ...set(over, v128.or(get(over), overflowing(halves, 0x7fff7fff, 0x00800080))),
          ...set(from, i32.add(get(from), int(16))),
          ...set(to, i32.add(get(to), int(32))),
        ],
        i32.ltU(get(from), get(stop)),
      ),
      ...v128.anyTrue(v128.and(get(over), i32x4.splat(int(0x80008000 | 0)))),
    ],
  ),
  defineFunction(
    "overflows", // whether one of the float32s from `from` to `stop` is not finite
    { parameters: ["from", "stop"], locals: { floats: "v128", over: "v128" }, returns: true },
    ({ from, stop, floats, over }) => [
      ...repeat(
        [
          ...set(floats, v128.load(get(from))),
          ...set(over, v128.or(get(over), overflowing(floats, 0x7fffffff, 0x00800000))),
          ...set(from, i32.add(get(from), int(16))),
        ],
        i32.ltU(get(from), get(stop)),
      ),
      ...v128.anyTrue(v128.and(get(over), i32x4.splat(int(0x80000000 | 0)))),
    ],
  ),
];

function createKernel() {
  const memory = createMemory(memoryOfPiece);
  const { widen, overflows } = instantiate(compileModule(writeModule(functions, memoryOfPiece)), memory);
  const floats = new Float32Array(memory.buffer, floatsAt, pieceLength);
  const halves = new Uint8Array(memory.buffer, halvesAt, 2 * pieceLength);
  return { widen: widen!, overflows: overflows!, floats, halves };
}

let kernel: ReturnType<typeof createKernel> | undefined;

/** Whether all numbers are finite. */
export function areFinite(values: Float32Array): boolean {
  kernel ??= createKernel();
  const { floats, overflows } = kernel;
  let overflown = 0;
  for (let at = 0; at < values.length; at += pieceLength) {
    const piece = values.subarray(at, at + pieceLength);
    floats.set(piece);
    floats.fill(0, piece.length, inVectors(piece.length));
    overflown |= overflows(floatsAt, floatsAt + 4 * inVectors(piece.length));
  }
  return overflown === 0;
}

function widenBfloat16(bytes: Uint8Array, into: Float32Array): boolean {
  kernel ??= createKernel();
  const { floats, halves, widen } = kernel;
  let overflown = 0;
  for (let at = 0; at < into.length; at += pieceLength) {
    const count = Math.min(pieceLength, into.length - at);
    halves.set(bytes.subarray(2 * at, 2 * (at + count)));
    halves.fill(0, 2 * count, 2 * inVectors(count));
    overflown |= widen(halvesAt, halvesAt + 2 * inVectors(count), floatsAt);
    into.set(floats.subarray(0, count), at);
  }
  return overflown === 0;
}

/**
 * Converts little-endian elements to float32 (round to nearest for float64, int64 and int32).
 *
 * @param bytes whole elements of `dtype`; any alignment
 * @param into as many values as `bytes` has elements
 * @returns whether all are finite as float32
 */
export function toFloat32(bytes: Uint8Array, dtype: DType, into: Float32Array): boolean {
  if (dtype === "bfloat16") return widenBfloat16(bytes, into);
  if (dtype === "int64") {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < into.length; i++) into[i] = Number(view.getBigInt64(8 * i, true));
    return true;
  }
  // Typed arrays are several times faster than a DataView, and want their elements aligned.
  const { buffer, byteOffset } = bytes.byteOffset % bytesOf[dtype] === 0 ? bytes : bytes.slice();
  const values = new arrayTypes[dtype](buffer as ArrayBuffer, byteOffset, into.length);
  if (dtype === "float16") return widenHalves(values as Uint16Array, into);
  into.set(values);
  return areFinite(into);
}
