/**
 * Runs every product with a weight in few bits once, beside the same product in float32, before the weight is written: a
 * kernel that computes nonsense on this machine is found here, and not in an answer.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { randomStream } from "../base/random.js";
import { createGraph, input, linear, output, quantize, weight } from "../graph/index.js";
import { compile } from "../onnx/compile.js";
import type { ReadTensor } from "../runner/weights.js";
import type { Runtime } from "../runtime/runtime.js";

/** Rows of random numbers that are multiplied. */
const rows = 4;
/** Outputs of the matrix that are compared: enough, as all are made alike. */
const outputs = 256;

/** The error of a product that no rounding to so many bits explains. */
const limits = { 4: 0.5, 8: 0.1 } as const;

/**
 * @param options.exact whether the kernel multiplies with numbers as they are, where it can
 * @returns the error of the product relative to its size, root mean square
 * @throws OpenFlamingoError `backend` where it is so large that the kernel must be wrong
 */
export async function productError(
  runtime: Runtime,
  { made, values: numbers }: ReadTensor,
  { exact = false } = {},
): Promise<number | undefined> {
  const [use] = made.find(([{ part }]) => part) ?? [];
  if (!use?.part) return undefined;
  const [n, k] = use.from as [number, number];
  const { part } = use;
  const plain = createGraph(`product with ${use.tensor}`);
  const x = input(plain, "x", "float32", ["rows", k]);
  output(plain, "y", linear(x, weight(plain, use.tensor, [n, k]), undefined));
  const graph = quantize(plain, () => ({ ...part, exact }));
  const byName = new Map(made.map(([{ name }, weight]) => [name, weight]));
  const random = randomStream(0, use.tensor);
  const factors = Float32Array.from({ length: rows * k }, (_, i) => random.normal(i));
  const session = await runtime.load(compile(graph).with((name) => byName.get(name)!));
  try {
    const { y } = await session.run({ x: { dtype: "float32", shape: [rows, k], data: factors } });
    const error = differenceOf(y!.data as Float32Array, factors, numbers, [n, k]);
    if (error < limits[part.bits]) return error;
    const what = `a product with ${use.tensor} in ${part.bits} bits is off by ${error.toPrecision(2)} of its size`;
    throw new OpenFlamingoError("backend", `${what} on this machine`, {
      hint: "Take --weights fp32, or another --backend.",
    });
  } finally {
    await session.close();
  }
}

function differenceOf(
  y: Float32Array,
  x: Float32Array,
  exact: Float32Array,
  [n, k]: readonly [number, number],
): number {
  let [off, size] = [0, 0];
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < Math.min(n, outputs); i++) {
      let sum = 0;
      for (let j = 0; j < k; j++) sum += x[row * k + j]! * exact[i * k + j]!;
      off += (y[row * n + i]! - sum) ** 2;
      size += sum ** 2;
    }
  }
  return size === 0 ? Math.sqrt(off) : Math.sqrt(off / size);
}
