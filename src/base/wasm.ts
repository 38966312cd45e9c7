/**
 * Writes small WebAssembly modules, for the few loops over all weights: with their vectors of 128 bits they are ten
 * times as fast as the same loops in JavaScript.
 *
 * Format: webassembly.github.io/spec, "Binary Format". An instruction is written with its operands before it, so code is
 * nested as formulas are: `i32.add(get(at), int(16))`. All functions work in one memory, which is imported.
 */

/** Instructions that leave at most one value, as bytes. */
export type Code = readonly number[];

const types = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = keyof typeof types;

/** A parameter or a local variable of a function: its number. */
export type Variable = number;

/** A function of a module. */
export interface WasmFunction {
  readonly name: string;
  readonly bytes: readonly number[];
  readonly type: readonly number[];
}

/**
 * @param parameters names of 32-bit integers
 * @param locals other variables, which begin as 0
 * @param returns whether the code leaves an integer
 */
export function defineFunction<P extends string, L extends string>(
  name: string,
  { parameters, locals, returns = false }: FunctionHead<P, L>,
  code: (variables: Readonly<Record<P | L, Variable>>) => Code,
): WasmFunction {
  const names = [...parameters, ...(Object.keys(locals) as L[])];
  const variables = Object.fromEntries(names.map((each, i) => [each, i])) as Record<P | L, Variable>;
  const declared = Object.values<ValueType>(locals).map((type) => [1, types[type]]);
  const body = [...list(declared), ...code(variables), end];
  const taken = parameters.map(() => [types.i32]);
  return {
    name,
    bytes: [...unsigned(body.length), ...body],
    type: [0x60, ...list(taken), ...list(returns ? [[types.i32]] : [])],
  };
}

interface FunctionHead<P extends string, L extends string> {
  readonly parameters: readonly P[];
  readonly locals: Readonly<Record<L, ValueType>>;
  readonly returns?: boolean;
}

/** The memory that a module works in. */
export interface MemorySize {
  /** Each of 64 KiB. */
  readonly pages: number;
  /** Whether several threads see it. */
  readonly shared: boolean;
}

export function writeModule(functions: readonly WasmFunction[], { pages, shared }: MemorySize): Uint8Array {
  const [isFunction, isMemory] = [0, 2];
  const limits = shared ? [3, ...unsigned(pages), ...unsigned(pages)] : [0, ...unsigned(pages)];
  return Uint8Array.from([
    ...text("\0asm"),
    ...[1, 0, 0, 0],
    ...section(1, list(functions.map(({ type }) => type))),
    ...section(2, list([[...named("host"), ...named("memory"), isMemory, ...limits]])),
    ...section(3, list(functions.map((_, i) => unsigned(i)))),
    ...section(7, list(functions.map(({ name }, i) => [...named(name), isFunction, ...unsigned(i)]))),
    ...section(10, list(functions.map(({ bytes }) => bytes))),
  ]);
}

const text = (of: string): number[] => [...new TextEncoder().encode(of)];
const named = (of: string): number[] => [...unsigned(text(of).length), ...text(of)];
const list = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()];
const section = (id: number, body: Code): number[] => [id, ...unsigned(body.length), ...body];

/** LEB128: seven bits a byte, the lowest first. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
}

/** An instruction of so many operands, which come before it. */
const instruction =
  <N extends readonly Code[]>(...bytes: number[]) =>
  (...operands: N): Code => [...operands.flat(), ...bytes];
const unary = instruction<[Code]>;
const binary = instruction<[Code, Code]>;
const vector = (number: number) => [0xfd, ...unsigned(number)];
const end = 0x0b;
const noValue = 0x40;

export const get = (variable: Variable): Code => [0x20, ...unsigned(variable)];
export const set = (variable: Variable, value: Code): Code => [...value, 0x21, ...unsigned(variable)];
export const int = (value: number): Code => [0x41, ...signed(value)];
export const float = (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
export const double = (value: number): Code => [0x44, ...new Uint8Array(Float64Array.of(value).buffer)];
/** One of two values. */
export const select = (yes: Code, no: Code, condition: Code): Code => [...yes, ...no, ...condition, 0x1b];
export const when = (condition: Code, body: Code): Code => [...condition, 0x04, noValue, ...body, end];
/** Runs `body` once, and again as long as the condition holds. */
export const repeat = (body: Code, condition: Code): Code => [
  ...[0x03, noValue, ...body],
  ...[...condition, 0x0d, 0, end],
];

export const i32 = { eq: binary(0x46), ltU: binary(0x49), add: binary(0x6a), and: binary(0x71) };
export const f32 = {
  gt: binary(0x5e),
  ge: binary(0x60),
  abs: unary(0x8b),
  neg: unary(0x8c),
  add: binary(0x92),
  mul: binary(0x94),
  div: binary(0x95),
  min: binary(0x96),
  max: binary(0x97),
  fromInt: unary(0xb3),
  fromDouble: unary(0xb6),
  store: (at: Code, value: Code): Code => [...at, ...value, 0x38, 2, 0],
};
export const f64 = { gt: binary(0x64), mul: binary(0xa2), div: binary(0xa3), fromFloat: unary(0xbb) };

/** 128 bits as they are. */
export const v128 = {
  load: (at: Code, offset = 0): Code => [...at, ...vector(0), 0, ...unsigned(offset)],
  store: (at: Code, value: Code, offset = 0): Code => [
    ...[...at, ...value],
    ...[...vector(11), 0, ...unsigned(offset)],
  ],
  /** The lower half. */
  store64: (at: Code, value: Code): Code => [...at, ...value, ...vector(91), 0, 0, 0],
  and: binary(...vector(78)),
  or: binary(...vector(80)),
  anyTrue: unary(...vector(83)),
};
export const i16x8 = {
  splat: unary(...vector(16)),
  /** Two vectors of 32-bit integers in one; what does not fit becomes the nearest that does. */
  narrow: binary(...vector(133)),
  shiftRight: binary(...vector(141)),
};
/** Two vectors of 32-bit integers in one, from 0 to 65535. */
export const u16x8 = { narrow: binary(...vector(134)) };
/** Two vectors of 16-bit integers in one, from 0 to 255. */
export const u8x16 = { narrow: binary(...vector(102)) };
export const i32x4 = {
  splat: unary(...vector(17)),
  /** The lower and the upper four of eight numbers without sign. */
  fromLower: unary(...vector(169)),
  fromUpper: unary(...vector(170)),
  shiftLeft: binary(...vector(171)),
  /** Zeros come in. */
  shiftRight: binary(...vector(173)),
  add: binary(...vector(174)),
  /** Of numbers with a sign. */
  max: binary(...vector(184)),
  /** Cut off behind the point. */
  fromFloats: unary(...vector(248)),
};
export const f32x4 = {
  splat: unary(...vector(19)),
  lane: (value: Code, lane: 0 | 1 | 2 | 3): Code => [...value, ...vector(31), lane],
  nearest: unary(...vector(106)),
  add: binary(...vector(228)),
  sub: binary(...vector(229)),
  mul: binary(...vector(230)),
  /** Of numbers only: what becomes of a NaN is not said. */
  min: binary(...vector(234)),
  max: binary(...vector(235)),
};

/** The parts of the host's WebAssembly that are used; TypeScript declares it for browsers alone. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Memory: new (limits: { initial: number; maximum?: number; shared?: boolean }) => WasmMemory;
  readonly Instance: new (
    module: WasmModule,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, (...values: number[]) => number>> };
};

/** A compiled module. It can be sent to another thread. */
export interface WasmModule {
  readonly [Symbol.toStringTag]?: string;
}
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

export const compileModule = (bytes: Uint8Array): WasmModule => new WebAssembly.Module(bytes);

export const createMemory = ({ pages, shared }: MemorySize): WasmMemory =>
  new WebAssembly.Memory({ initial: pages, ...(shared && { maximum: pages, shared }) });

/** The functions of a module that works in this memory. */
export const instantiate = (module: WasmModule, memory: WasmMemory) =>
  new WebAssembly.Instance(module, { host: { memory } }).exports;
