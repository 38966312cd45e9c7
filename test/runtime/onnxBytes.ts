/** Just enough protobuf to write the small ONNX models of these tests; field numbers from `onnx.proto`. */
import type { DType } from "../../src/base/dtypes.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { type Port, type Program, weightLocation } from "../../src/runtime/runtime.js";

const onnxTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10, float64: 11 } as const;
type OnnxType = keyof typeof onnxTypes;

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

const join = (...parts: ArrayLike<number>[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

function field(number: number, value: number | string | Uint8Array): Uint8Array {
  if (typeof value === "number") return join(varint(number * 8), varint(value));
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return join(varint(number * 8 + 2), varint(bytes.length), bytes);
}

const fields = (number: number, values: readonly (number | string | Uint8Array)[]) =>
  join(...values.map((value) => field(number, value)));

type Attribute = number | readonly number[];

const attribute = (name: string, value: Attribute): Uint8Array =>
  typeof value === "number"
    ? join(field(1, name), field(3, value), field(20, 2))
    : join(field(1, name), fields(8, value), field(20, 7));

/** A node, as in `node("MatMul", ["x", "w"], ["y"])`. */
export const node = (
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  domain = "",
): Uint8Array =>
  join(
    fields(1, inputs),
    fields(2, outputs),
    field(4, operator),
    ...Object.entries(attributes).map(([name, value]) => field(5, attribute(name, value))),
    field(7, domain),
  );

function initializer(name: string, { dtype, shape, data }: HostTensor, inline: boolean): Uint8Array {
  const head = join(fields(1, shape), field(2, onnxTypes[dtype as OnnxType]), field(8, name));
  if (inline) return join(head, field(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
  const entries = { location: weightLocation(name), offset: "0", length: String(data.byteLength) };
  const external = Object.entries(entries).map(([key, value]) => join(field(1, key), field(2, value)));
  return join(head, fields(13, external), field(14, 1));
}

/** A type and sizes by number or name, as in `["float32", "b", 4]`. */
export type Declared = readonly [dtype: DType, ...shape: (number | string)[]];

const valueInfo = (name: string, [dtype, ...shape]: Declared): Uint8Array => {
  const dimensions = shape.map((size) => field(typeof size === "number" ? 1 : 2, size));
  const tensor = join(field(1, onnxTypes[dtype as OnnxType]), field(2, fields(1, dimensions)));
  return join(field(1, name), field(2, field(1, tensor)));
};

/** A program with its model; weights are external data, `constants` are in the model's bytes. */
export function program(
  name: string,
  nodes: readonly Uint8Array[],
  inputs: Readonly<Record<string, Declared>>,
  outputs: Readonly<Record<string, Declared>>,
  {
    weights = {},
    constants = {},
    aliases = {},
  }: {
    weights?: Readonly<Record<string, HostTensor>>;
    constants?: Readonly<Record<string, HostTensor>>;
    aliases?: Readonly<Record<string, string>>;
  } = {},
): Program {
  const ports = (declared: Readonly<Record<string, Declared>>): Port[] =>
    Object.entries(declared).map(([port, [dtype, ...shape]]) => ({ name: port, dtype, shape }));
  const valueInfos = (number: number, declared: Readonly<Record<string, Declared>>) =>
    fields(
      number,
      Object.entries(declared).map(([port, type]) => valueInfo(port, type)),
    );
  const graph = join(
    fields(1, nodes),
    field(2, name),
    fields(
      5,
      Object.entries(constants).map(([constant, tensor]) => initializer(constant, tensor, true)),
    ),
    fields(
      5,
      Object.entries(weights).map(([weight, tensor]) => initializer(weight, tensor, false)),
    ),
    valueInfos(11, inputs),
    valueInfos(12, outputs),
  );
  const opset = (domain: string, version: number) => join(field(1, domain), field(2, version));
  const bytes = join(
    field(1, 10),
    field(7, graph),
    field(8, opset("", 21)),
    field(8, opset("com.microsoft", 1)),
  );
  return {
    name,
    bytes,
    inputs: ports(inputs),
    outputs: ports(outputs),
    weights: new Map(Object.entries(weights)),
    aliases: new Map(Object.entries(aliases)),
  };
}
