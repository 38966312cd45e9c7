/**
 * Weights in few bits: the numbers of a row in blocks, each block with a scale of its own.
 *
 * Format: that of ONNX Runtime's MatMulNBits, symmetric. The numbers of a block lie one after the other, the first in
 * the lowest bits; q stands for (q − 2^(bits−1)) · scale. A last block that the row does not fill is filled up with 0.
 * Sizes: n rows (outputs), k numbers in each (inputs), blocks ⌈k / block⌉, bytes of a block block · bits / 8.
 */
import { microsoft, onnxNode } from "../backendNode.js";
import type { BlockFormat } from "../format.js";
import { defineOp, type Operator } from "../op.js";
import { type Dim, sameShape, showShape } from "../size.js";
import { shapeError, type Tensor } from "../tensor.js";
import { cast, div, mul, sub } from "./elementwise.js";
import { gather } from "./gather.js";
import { concat, reshape, slice } from "./layout.js";
import { linear } from "./linear.js";

function requireParts(operator: string, values: Tensor, scales: Tensor, { bits, block }: BlockFormat): void {
  const bytes = values.shape.at(-1);
  const fits =
    values.dtype === "uint8" &&
    scales.dtype === "float32" &&
    bytes === (block * bits) / 8 &&
    sameShape(values.shape.slice(0, -1), scales.shape);
  if (fits) return;
  const shown = (x: Tensor) => `${x.dtype} ${showShape(x.shape)}`;
  const what = `values ${shown(values)} and scales ${shown(scales)} are no blocks of ${block} in ${bits} bits`;
  throw shapeError(operator, what);
}

/** values (…, blocks, bytes), scales (…, blocks) → the first `width` numbers of each row, float32 (…, width). */
export const dequantize: Operator<["values", "scales"], BlockFormat & { width: number }> = defineOp({
  name: "dequantize",
  inputs: ["values", "scales"],
  shape: ({ values, scales }, { width, ...format }) => {
    requireParts("dequantize", values, scales, format);
    return { dtype: "float32", shape: [...scales.shape.slice(0, -1), width] };
  },
  decomposition: ({ values, scales }, { bits, block, width }) => {
    const rows = scales.shape.slice(0, -1);
    const blocks = scales.shape.at(-1) as number;
    const numbers = reshape(bits === 8 ? cast(values, { to: "float32" }) : halves(values), {
      shape: [...rows, blocks, block],
    });
    const scaled = mul(sub(numbers, 2 ** (bits - 1)), reshape(scales, { shape: [...rows, blocks, 1] }));
    const flat = reshape(scaled, { shape: [...rows, blocks * block] });
    return width === blocks * block ? flat : slice(flat, { axis: -1, start: 0, end: width });
  },
});

/** The lower and the upper four bits of each byte, one after the other: uint8 (…, m) → float32 (…, m, 2). */
function halves(bytes: Tensor): Tensor {
  const value = cast(bytes, { to: "float32" });
  const upper = cast(cast(div(value, 16), { to: "int32" }), { to: "float32" }); // cut, not rounded
  const lower = sub(value, mul(upper, 16));
  const alone = (x: Tensor) => reshape(x, { shape: [...x.shape, 1] });
  return concat([alone(lower), alone(upper)], { axis: -1 });
}

/**
 * y = x wᵀ with a weight in blocks: x (…, t, k), values (n, blocks, bytes), scales (n, blocks) → (…, t, n).
 *
 * `exact`: x is multiplied as it is. Otherwise the kernel rounds it to 8 bits in each block, which adds about 5e-3 to
 * the error, relative, and is many times as fast.
 */
export const quantizedLinear: Operator<["x", "values", "scales"], BlockFormat & { exact: boolean }> =
  defineOp({
    name: "quantizedLinear",
    inputs: ["x", "values", "scales"],
    shape: ({ x, values, scales }, { exact: _, ...format }) => {
      requireParts("quantizedLinear", values, scales, format);
      const [n, blocks] = scales.shape as readonly [Dim, number];
      const k = x.shape.at(-1)!;
      if (x.shape.length < 2 || typeof k !== "number" || Math.ceil(k / format.block) !== blocks) {
        const what = `x ${showShape(x.shape)} is not as wide as ${blocks} blocks of ${format.block}`;
        throw shapeError("quantizedLinear", what);
      }
      return { dtype: "float32", shape: [...x.shape.slice(0, -1), n] };
    },
    onnx: ({ x, values, scales }, { bits, block, exact }, y) => {
      const [K, N] = [x.shape.at(-1) as number, values.shape[0] as number];
      // Level 4 rounds x to int8, level 1 is float32. With 8 bits only level 4 has a fast kernel.
      const attributes = { K, N, bits, block_size: block, accuracy_level: exact ? 1 : 4 };
      return onnxNode("MatMulNBits", [x, values, scales], attributes, y, microsoft);
    },
    decomposition: ({ x, values, scales }, { bits, block }) =>
      linear(x, dequantize(values, scales, { bits, block, width: x.shape.at(-1) as number }), undefined),
  });

/** Rows of a table in blocks, by number: rows int32 (any) → float32 (any, width). */
export const quantizedGather: Operator<["values", "scales", "rows"], BlockFormat & { width: number }> =
  defineOp({
    name: "quantizedGather",
    inputs: ["values", "scales", "rows"],
    shape: ({ values, scales, rows }, { width, ...format }) => {
      requireParts("quantizedGather", values, scales, format);
      const fits = rows.dtype === "int32" && scales.shape.length === 2;
      if (!fits) throw shapeError("quantizedGather", `rows are ${rows.dtype} ${showShape(rows.shape)}`);
      return { dtype: "float32", shape: [...rows.shape, width] };
    },
    decomposition: ({ values, scales, rows }, attributes) =>
      dequantize(gather(values, rows), gather(scales, rows), attributes),
  });
