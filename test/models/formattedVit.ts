/** A vision encoder with made-up weights, in a format of one's choice: for how near to float32 it is, and how fast. */
import { createHash } from "node:crypto";
import { elementCount } from "../../src/base/dtypes.js";
import { randomStream } from "../../src/base/random.js";
import { createGraph, type FormatOf, input, isInRows, output, quantize } from "../../src/graph/index.js";
import { params } from "../../src/models/layers.js";
import { type VitConfig, vit } from "../../src/models/vit.js";
import { compile } from "../../src/onnx/compile.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import type { Runtime, Session } from "../../src/runtime/runtime.js";
import { quantizeMatrix } from "../../src/weights/quantize.js";
import { quantizeRows } from "../../src/weights/quantizeRows.js";

/** float32; 8 bits in blocks; 8 bits in whole rows. */
export const vitFormats = {
  float32: undefined,
  blocks: () => ({ bits: 8, block: 128, exact: false }),
  rows: () => ({ bits: 8, block: "row" }),
} as const satisfies Record<string, FormatOf | undefined>;

export type VitFormat = keyof typeof vitFormats;

/** Channels that every norm of a block gives larger than the others, as in trained models, and how many times. */
export interface Outliers {
  readonly channels: number;
  readonly times: number;
}

/** Normal numbers: a draw of Philox for each weight would take minutes. */
const normals = new Float32Array(2 ** 20);
const random = randomStream(0, "weights of a vision encoder");
for (let i = 0; i < normals.length; i++) normals[i] = random.normal(i);

/** Weights by their names, always the same: norms near 1, matrices by their width. */
export function vitWeights(
  outliers: Outliers | undefined,
): (name: string, shape: readonly number[]) => Float32Array {
  const made = new Map<string, Float32Array>();
  const make = (name: string, shape: readonly number[]) => {
    const isNorm = shape.length === 1 && name.endsWith("weight");
    const deviation = shape.length === 1 ? 0.02 : 0.7 * elementCount(shape.slice(1)) ** -0.5;
    const values = new Float32Array(elementCount(shape));
    // Each has a beginning of its own, whichever is asked for first.
    let place = Number(`0x${createHash("sha256").update(name).digest("hex").slice(0, 5)}`);
    for (let i = 0; i < values.length; i++) {
      values[i] = (isNorm ? 1 : 0) + deviation * normals[place]!;
      place = place + 1 < normals.length ? place + 1 : (place * 7919) % 12_347; // never the same stretch again
    }
    const { channels, times } =
      /ln_[12]\.weight/.test(name) && outliers ? outliers : { channels: 0, times: 1 };
    for (let i = 0; i < channels; i++) values[Math.floor(((i + 0.3) / channels) * values.length)]! *= times;
    made.set(name, values);
    return values;
  };
  return (name, shape) => made.get(name) ?? make(name, shape);
}

/** The encoder at work: pixels (N, 3, S, S) → tokens (N, v, d). */
export async function formattedVit(
  runtime: Runtime,
  config: VitConfig,
  format: VitFormat,
  weightOf: ReturnType<typeof vitWeights>,
  threads: number,
): Promise<Session> {
  const plain = createGraph("vit");
  const side = config.imageSize;
  const pixels = input(plain, "pixels", "float32", ["N", 3, side, side]);
  output(plain, "tokens", vit(params(plain), pixels, config));
  const formatOf: FormatOf | undefined = vitFormats[format];
  const compiled = compile(formatOf ? quantize(plain, formatOf) : plain);
  const quantized = new Map<string, Record<"values" | "scales", HostTensor["data"]>>();
  const weights = new Map<string, HostTensor>();
  for (const { name, dtype, shape, tensor, from, part } of compiled.weights) {
    const values = weightOf(tensor, from);
    const matrix = from as [number, number];
    const parts =
      part &&
      (quantized.get(tensor) ??
        (isInRows(part) ? quantizeRows(values, matrix) : await quantizeMatrix(values, matrix, part)));
    if (parts) quantized.set(tensor, parts);
    weights.set(name, { dtype, shape, data: part ? parts![part.part] : values } as HostTensor);
  }
  return runtime.load(
    compiled.with((name) => weights.get(name)!),
    { threads },
  );
}

/** An image of noise. */
export const noisyImage = ({ imageSize }: VitConfig): HostTensor<"float32"> => ({
  dtype: "float32",
  shape: [1, 3, imageSize, imageSize],
  data: normals.slice(0, 3 * imageSize ** 2),
});

/** The least cosine of two results' tokens of `width` numbers. */
export function leastCosine(a: Float32Array, b: Float32Array, width: number): number {
  let least = 1;
  for (let at = 0; at < a.length; at += width) {
    let [dot, ofA, ofB] = [0, 0, 0];
    for (let i = at; i < at + width; i++) {
      dot += a[i]! * b[i]!;
      ofA += a[i]! ** 2;
      ofB += b[i]! ** 2;
    }
    least = Math.min(least, dot / Math.sqrt(ofA * ofB));
  }
  return least;
}
