/**
 * Weights in whole rows of 8 bits, one scale a row, for products of many rows of x: x is rounded too, to 8 bits with one
 * scale for each of its rows (tokens), and whole numbers are multiplied. One large token leaves the others as exact as
 * they were, which one scale for all of x would not.
 *
 * The magnitudes of two neighbours in a row, the 2i-th and the next number, come to at most 128: x64 processors without
 * VNNI add two products in 16 bits, where 255 · 128 fits and more would be cut. So every processor gives the same whole
 * numbers. Measured: decision 0012. Sizes: n outputs, k inputs.
 */
import { microsoft, onnxNode } from "../backendNode.js";
import { constant } from "../constant.js";
import { defineOp, type Operator } from "../op.js";
import { product, sameDim, showShape } from "../size.js";
import { shapeError } from "../tensor.js";
import { cast, div, mul } from "./elementwise.js";
import { reshape } from "./layout.js";
import { matmul } from "./linear.js";
import { broadcastTo, max } from "./reduce.js";

/** A row of zeros has a scale too. */
const smallest = 1e-30;

/** y = x w with a weight in rows: x (…, t, k), values int8 (k, n), each times its scale of scales (n) → (…, t, n). */
export const rowQuantizedLinear: Operator<["x", "values", "scales"]> = defineOp({
  name: "rowQuantizedLinear",
  inputs: ["x", "values", "scales"],
  shape: ({ x, values, scales }) => {
    const [[k, n], width] = [values.shape, x.shape.at(-1)];
    const isWeight = values.dtype === "int8" && scales.dtype === "float32" && values.shape.length === 2;
    if (!isWeight || scales.shape.length !== 1 || !sameDim(scales.shape[0]!, n!)) {
      const what = `values ${values.dtype} ${showShape(values.shape)} and scales ${showShape(scales.shape)}`;
      throw shapeError("rowQuantizedLinear", `${what} are no weight in rows`);
    }
    if (x.shape.length < 2 || !sameDim(width!, k!)) {
      const what = `x ${showShape(x.shape)} is not as wide as the weight ${showShape(values.shape)} expects`;
      throw shapeError("rowQuantizedLinear", what);
    }
    return { dtype: "float32", shape: [...x.shape.slice(0, -1), n!] };
  },
  onnx: ({ x, values, scales }, _, y, graph) => {
    const [k, n] = values.shape as readonly [number, number];
    const rows = product(x.shape.slice(0, -1));
    const flat = reshape(x, { shape: [rows, k] });
    const largest = max(onnxNode("Abs", [flat], {}, flat), { axes: [-1] }); // (rows)
    const scale = div(onnxNode("Max", [largest, constant(graph, smallest)], {}, largest), 127);
    const middle = constant(graph, 128, { dtype: "uint8" });
    const middles = broadcastTo(middle, { shape: [rows] });
    const q = onnxNode(
      "QuantizeLinear",
      [flat, scale, middles],
      { axis: 0 },
      { dtype: "uint8", shape: flat.shape },
    );
    const [one, zero] = [constant(graph, 1), constant(graph, 0, { dtype: "int8" })];
    const sums = { dtype: "float32", shape: [rows, n] } as const;
    const whole = onnxNode(
      "MatMulIntegerToFloat",
      [q, values, one, scales, middle, zero],
      {},
      sums,
      microsoft,
    );
    return reshape(mul(whole, reshape(scale, { shape: [rows, 1] })), { shape: y.shape });
  },
  decomposition: ({ x, values, scales }) => matmul(x, mul(cast(values, { to: "float32" }), scales)),
});
