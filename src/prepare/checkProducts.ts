/**
 * Runs every product with a weight in few bits once before the weight is written, beside the same product with the numbers
 * that its parts stand for, which finds a kernel that computes nonsense on this machine, and beside that in float32,
 * which finds parts that do. Neither is found in an answer then.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { randomStream } from "../base/random.js";
import {
  createGraph,
  input,
  isInRows,
  linear,
  output,
  type QuantizedFormat,
  quantize,
  spansOf,
  weight,
} from "../graph/index.js";
import { compile } from "../onnx/compile.js";
import type { Runtime } from "../runtime/runtime.js";
import type { ReadTensor } from "../weights/loadWeights.js";
import { type Blocks, rowOfBlocks } from "../weights/quantize.js";
import { type Rows, rowOfRows } from "../weights/quantizeRows.js";

/** Rows of random numbers that are multiplied. */
const rows = 4;
/** Outputs that are compared, from all over the matrix, its last one among them: enough, as all are made alike. */
const outputs = 64;

/** Errors that no rounding explains: of a kernel that rounds x to 8 bits (0.007 is usual), and of so many bits. */
const limits = { kernel: 0.02, 4: 0.5, 8: 0.1 } as const;

/**
 * @param options.exact whether the kernel multiplies with numbers as they are, where it can
 * @returns the error of the product beside that in float32, relative to its size, root mean square
 * @throws OpenFlamingoError `backend` where the kernel or the parts must be wrong
 */
export async function productError(
  runtime: Pick<Runtime, "load">,
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
    const product: Product = { y: y!.data as Float32Array, x: factors, n, k };
    const off = (error: number) =>
      `a product with ${use.tensor} in ${part.bits} bits is off by ${error.toPrecision(2)} of its size`;
    const ofKernel = errorOf(product, rowsOf(made, part, [n, k]));
    if (!(ofKernel < limits.kernel)) throw wrong(`${off(ofKernel)} beside that of its parts`);
    const error = errorOf(product, (row) => numbers.subarray(row * k, (row + 1) * k));
    if (!(error < limits[part.bits])) throw wrong(off(error));
    return error;
  } finally {
    await session.close();
  }
}

const wrong = (what: string): OpenFlamingoError =>
  new OpenFlamingoError("backend", `${what}, on this machine`, {
    hint: "Take --weights fp32, or another --backend.",
  });

/** The numbers (k) that the rows of a matrix (n, k) in few bits stand for. */
export function rowsOf(
  made: ReadTensor["made"],
  format: QuantizedFormat,
  [n, k]: readonly [number, number],
): (row: number) => Float32Array {
  const spans = spansOf(format, k).map((span) => {
    const of = (which: "values" | "scales") =>
      made.find(([{ part }]) => part?.part === which && part.span[0] === span[0])![1].data;
    return { span, parts: { values: of("values"), scales: of("scales") } };
  });
  return (row) => {
    const numbers = new Float32Array(k);
    for (const {
      span: [start, end],
      parts,
    } of spans) {
      const some = isInRows(format)
        ? rowOfRows(parts as Rows, row, [n, k])
        : rowOfBlocks(parts as Blocks, row, end - start, format);
      numbers.set(some, start);
    }
    return numbers;
  };
}

/** What was computed of x (rows, k) with a matrix (n, k): y (rows, n). */
interface Product {
  readonly y: Float32Array;
  readonly x: Float32Array;
  readonly n: number;
  readonly k: number;
}

/** How far the compared outputs are from those of x with the rows of a matrix. */
function errorOf({ y, x, n, k }: Product, rowOf: (row: number) => Float32Array): number {
  let [off, size] = [0, 0];
  const count = Math.min(n, outputs);
  for (let i = 0; i < count; i++) {
    const output = Math.floor(((i + 1) * n) / count) - 1;
    const weights = rowOf(output);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let j = 0; j < k; j++) sum += x[row * k + j]! * weights[j]!;
      off += (y[row * n + output]! - sum) ** 2;
      size += sum ** 2;
    }
  }
  return size === 0 ? Math.sqrt(off) : Math.sqrt(off / size);
}
