/**
 * From plain numbers to blocks of few bits: for each block the scale is searched that gives the smallest error.
 *
 * Symmetric, as `src/graph/ops/quantized.ts` reads it: x ≈ (q − middle) · scale with q from 0 to 2 · middle − 1. The
 * number with the largest magnitude of a block fixes the sign of its scale, so that it can take q = 0, which lies
 * further from the middle than the other end. Around the scale at which it does, others are tried; for the integers
 * that each gives, the best scale is that of least squares. Blocks know nothing of each other, so that they are the same
 * on any number of threads.
 */
import { createMemory, instantiate } from "../base/wasm.js";
import { type BlockFormat, partShapes, type Span } from "../graph/index.js";
import { type Kernel, type KernelPool, poolOf } from "./kernelPool.js";
import { kernelMemory, kernelModule, kernelOf } from "./quantizeKernel.js";

export interface Blocks {
  readonly values: Uint8Array;
  readonly scales: Float32Array;
}

/** Columns that are quantised at a time: whole blocks, of which several rows find room in a kernel's memory. */
const tileColumns = 2 ** 16;

/** A part of a matrix, as large as a kernel's memory allows. */
interface Tile {
  readonly row: number;
  readonly rows: number;
  readonly column: number;
  readonly columns: number;
}

/**
 * @param matrix (n, k), row by row
 * @param span the columns that are wanted; all when left out
 * @param importance (k): how much an error of each column counts; all the same when left out
 * @param pool where the work is done; on this thread when left out
 */
export async function quantizeMatrix(
  matrix: Float32Array,
  [n, k]: readonly [number, number],
  format: BlockFormat,
  {
    span: [start, end] = [0, k],
    importance,
    pool = ownPool(),
  }: {
    span?: Span | undefined;
    importance?: Float32Array | undefined;
    pool?: KernelPool | undefined;
  } = {},
): Promise<Blocks> {
  const { bits, block } = format;
  const shapes = partShapes(format, [n, end - start]);
  const [, blocks, bytes] = shapes.values;
  const values = new Uint8Array(n * blocks * bytes);
  const scales = new Float32Array(n * blocks);

  const quantizeTile = async ({ memory, run }: Kernel, { row, rows, column, columns }: Tile) => {
    const across = Math.ceil(columns / block);
    const width = across * block;
    const layout = layoutOf({ rows, width, format });
    const weights = new Float32Array(memory.buffer, layout.weights, width);
    const x = new Float32Array(memory.buffer, layout.x, rows * width);
    const from = start + column;
    if (importance) weights.set(importance.subarray(from, from + columns));
    else weights.fill(1);
    if (width > columns) x.fill(0); // what the row does not fill
    for (let i = 0; i < rows; i++) {
      const at = (row + i) * k + from;
      x.set(matrix.subarray(at, at + columns), i * width);
    }
    const { byteOffset, byteLength } = weights;
    await run(
      kernelOf[bits],
      ...[layout.x, layout.x + x.byteLength, byteOffset, byteOffset + byteLength],
      ...[layout.values, layout.scales, 4 * block],
    );
    const madeValues = new Uint8Array(memory.buffer, layout.values, rows * across * bytes);
    const madeScales = new Float32Array(memory.buffer, layout.scales, rows * across);
    for (let i = 0; i < rows; i++) {
      const to = (row + i) * blocks + column / block;
      values.set(madeValues.subarray(i * across * bytes, (i + 1) * across * bytes), to * bytes);
      scales.set(madeScales.subarray(i * across, (i + 1) * across), to);
    }
  };
  const tiles = [...tilesOf([n, end - start], format)];
  await Promise.all(tiles.map((tile) => pool.use((kernel) => quantizeTile(kernel, tile))));
  return { values, scales };
}

/** The k numbers that the blocks of a row stand for. */
export function rowOfBlocks(
  { values, scales }: Blocks,
  row: number,
  k: number,
  { bits, block }: BlockFormat,
): Float32Array {
  const first = row * Math.ceil(k / block);
  const middle = 2 ** (bits - 1);
  return Float32Array.from({ length: k }, (_, column) => {
    const b = first + Math.floor(column / block);
    const at = b * block + (column % block);
    const q = bits === 8 ? values[at]! : (values[at >> 1]! >> (4 * (at & 1))) & 15;
    return (q - middle) * scales[b]!;
  });
}

/** Where the parts of a tile lie in a kernel's memory, in bytes. */
function layoutOf({ rows, width, format }: { rows: number; width: number; format: BlockFormat }) {
  const { bits, block } = format;
  const x = 4 * width;
  const scales = x + 4 * rows * width;
  const values = scales + (4 * rows * width) / block;
  return { weights: 0, x, scales, values, end: values + (rows * width * bits) / 8 };
}

function* tilesOf([n, k]: readonly [number, number], format: BlockFormat): Generator<Tile> {
  const columns = Math.min(k, tileColumns);
  const width = Math.ceil(columns / format.block) * format.block;
  const { x, end } = layoutOf({ rows: 1, width, format });
  const rows = Math.floor((2 ** 16 * kernelMemory.pages - x) / (end - x));
  for (let column = 0; column < k; column += columns) {
    for (let row = 0; row < n; row += rows) {
      yield { row, rows: Math.min(rows, n - row), column, columns: Math.min(columns, k - column) };
    }
  }
}

let own: KernelPool | undefined;

/** A kernel on this thread. */
function ownPool(): KernelPool {
  own ??= poolOf([ownKernel()]);
  return own;
}

function ownKernel(): Kernel {
  const memory = createMemory(kernelMemory);
  const functions = instantiate(kernelModule(), memory);
  return { memory, run: async (name, ...values) => void functions[name]!(...values) };
}
