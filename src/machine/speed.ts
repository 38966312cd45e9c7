/**
 * How fast the machine reads memory and multiplies, measured with the backend itself: what generation cannot exceed.
 *
 * A step of generation reads every weight once, so the bandwidth bounds it; images and prompts multiply, so arithmetic
 * bounds them.
 */
import { createGraph, input, linear, output, quantizedLinear, weight, weightParts } from "../graph/index.js";
import { compile } from "../onnx/compile.js";
import type { HostTensor } from "../runtime/hostTensor.js";
import { zeros } from "../runtime/hostTensor.js";
import type { Runtime } from "../runtime/runtime.js";

export interface Speed {
  /** GB a second of float32 weights, in products with one row. */
  readonly bandwidth: number;
  /** GB a second of weights in blocks of 4 bits, in products with one row: bytes of values and scales. */
  readonly int4Bandwidth: number;
  /** Billions of operations a second in large products, of float32 and of weights in blocks. */
  readonly float32: number;
  readonly int8: number;
  readonly int4: number;
}

export interface SpeedOptions {
  /** Bytes that may be taken; a gibibyte is enough for any processor's cache. */
  readonly free: number;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called before each of the measurements. */
  readonly onStep?: ((what: string) => void) | undefined;
}

/** The better of two measurements, each of its figures: other programs make a machine slower, never faster. */
export const fasterOf = (a: Speed, b: Speed): Speed => ({
  bandwidth: Math.max(a.bandwidth, b.bandwidth),
  int4Bandwidth: Math.max(a.int4Bandwidth, b.int4Bandwidth),
  float32: Math.max(a.float32, b.float32),
  int8: Math.max(a.int8, b.int8),
  int4: Math.max(a.int4, b.int4),
});

/** Matrices are square and as wide as those of a language model of seven billion parameters. */
const width = 4096;
/** Rows of a large product: those of a piece of a prompt, and nearly those of an image. */
const manyRows = 256;

type Format = "float32" | "int8" | "int4";
const bitsOf = { int8: 8, int4: 4 } as const;
const block = 128;

/** @throws OpenFlamingoError `memory`, `backend`; the signal's reason */
export async function measureSpeed(runtime: Runtime, options: SpeedOptions): Promise<Speed> {
  const { free, onStep } = options;
  const all = Math.min(2 ** 30, free / 2);
  const measure = async (format: Format, rows: number, bytes: number) => {
    onStep?.(`${rows === 1 ? "reading" : "multiplying"} ${format}`);
    return measureProducts(runtime, format, rows, bytes, options);
  };
  const read = await measure("float32", 1, all);
  const int4 = await measure("int4", 1, all / 4);
  const [f32, i8, i4] = [
    await measure("float32", manyRows, 0),
    await measure("int8", manyRows, 0),
    await measure("int4", manyRows, 0),
  ];
  return {
    bandwidth: read.bytes / read.seconds / 1e9,
    int4Bandwidth: int4.bytes / int4.seconds / 1e9,
    float32: f32.operations / f32.seconds / 1e9,
    int8: i8.operations / i8.seconds / 1e9,
    int4: i4.operations / i4.seconds / 1e9,
  };
}

/** Some rows through as many matrices, one after the other, as take so many bytes; one at least. The best of runs. */
async function measureProducts(
  runtime: Runtime,
  format: Format,
  rows: number,
  wanted: number,
  { threads, signal }: SpeedOptions,
): Promise<{ bytes: number; operations: number; seconds: number }> {
  const graph = createGraph(`${format} products`);
  let x = input(graph, "x", "float32", [rows, width]);
  const each = format === "float32" ? 4 * width ** 2 : (width ** 2 * (bitsOf[format] + 32 / block)) / 8;
  const count = Math.max(1, Math.floor(wanted / each));
  for (let i = 0; i < count; i++) {
    if (format === "float32") x = linear(x, weight(graph, `w${i}`, [width, width]), undefined);
    else {
      const blocks = { bits: bitsOf[format], block } as const;
      const [parts] = weightParts(graph, `w${i}`, [width, width], blocks);
      x = quantizedLinear(x, parts!.values, parts!.scales, { ...blocks, exact: false });
    }
  }
  output(graph, "y", x);
  const compiled = compile(graph);
  const weights = new Map(
    compiled.weights.map(({ name, dtype, shape }, i) => [name, filled(zeros(dtype, shape), i)]),
  );
  const session = await runtime.load(
    compiled.with((name) => weights.get(name)!),
    { ...(threads !== undefined && { threads }), signal },
  );
  const [ones, y] = [zeros("float32", [rows, width]), zeros("float32", [rows, width])];
  ones.data.fill(1);
  try {
    const runs = 7;
    let seconds = Number.POSITIVE_INFINITY;
    for (let run = 0; run <= runs; run++) {
      const start = performance.now();
      await session.run({ x: ones }, { outputs: { y }, want: [], signal });
      // The first touches the memory.
      if (run > 0) seconds = Math.min(seconds, (performance.now() - start) / 1000);
    }
    return { bytes: count * each, operations: 2 * count * rows * width ** 2, seconds };
  } finally {
    await session.close();
    giveBack([...weights.values(), ones, y].map(({ data }) => data.buffer as ArrayBuffer));
  }
}

/** At once: what waits to be collected would count as used when a model is opened next. */
function giveBack(buffers: ArrayBuffer[]): void {
  const { port1, port2 } = new MessageChannel();
  port2.close(); // what is sent to nobody is gone
  port1.postMessage(undefined, buffers);
  port1.close();
}

/** With numbers that keep products in range, other ones for each tensor: equal ones could be stored once. */
function filled(tensor: HostTensor, i: number): HostTensor {
  tensor.data.fill((tensor.dtype === "float32" ? (1 + i / 1024) / width : 1 + (i % 255)) as never);
  return tensor;
}
