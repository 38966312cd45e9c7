/** Products of matrices, and the linear layer. */

import { microsoft, onnxNode } from "../backendNode.js";
import { defineOp, type Operator } from "../op.js";
import { product, sameDim, showShape } from "../size.js";
import { shapeError } from "../tensor.js";
import { add, broadcastShape, sameTypes } from "./elementwise.js";
import { reshape, transposeLast } from "./layout.js";
import { sum } from "./reduce.js";

/** a (…, n, k) · b (…, k, m) → (…, n, m); the axes before the last two are broadcast. */
export const matmul: Operator<["a", "b"]> = defineOp({
  name: "matmul",
  inputs: ["a", "b"],
  shape: ({ a, b }) => {
    const [n, k] = a.shape.slice(-2);
    const [k2, m] = b.shape.slice(-2);
    if (n === undefined || k === undefined || k2 === undefined || m === undefined || !sameDim(k, k2)) {
      throw shapeError("matmul", `${showShape(a.shape)} and ${showShape(b.shape)} do not multiply`);
    }
    const batch = broadcastShape("matmul", [a.shape.slice(0, -2), b.shape.slice(0, -2)]);
    return { dtype: sameTypes("matmul", [a, b]), shape: [...batch, n, m] };
  },
  grad: ({ a, b, dy }) => ({ a: matmul(dy, transposeLast(b)), b: matmul(transposeLast(a), dy) }),
  onnx: ({ a, b }, _, y) => onnxNode("MatMul", [a, b], {}, y),
});

/** y = x wᵀ + bias: x (…, t, in), w (out, in) as checkpoints keep it, bias (out) → (…, t, out). */
export const linear: Operator<["x", "w", "bias?"]> = defineOp({
  name: "linear",
  inputs: ["x", "w", "bias?"],
  shape: ({ x, w, bias }) => {
    if (x.shape.length < 2) throw shapeError("linear", `x ${showShape(x.shape)} has no rows`);
    const [out, width] = w.shape;
    const given = x.shape.at(-1)!;
    if (w.shape.length !== 2 || out === undefined || width === undefined || !sameDim(given, width)) {
      throw shapeError(
        "linear",
        `x ${showShape(x.shape)} is not as wide as the weight ${showShape(w.shape)} expects`,
      );
    }
    if (bias && !(bias.shape.length === 1 && sameDim(bias.shape[0]!, out))) {
      throw shapeError(
        "linear",
        `the bias ${showShape(bias.shape)} does not fit the weight ${showShape(w.shape)}`,
      );
    }
    return {
      dtype: sameTypes("linear", bias ? [x, w, bias] : [x, w]),
      shape: [...x.shape.slice(0, -1), out],
    };
  },
  grad: ({ x, w, bias, dy }) => {
    // The weight's gradient as one flat product: a batch of small ones, summed afterwards, costs several times as much.
    const rows = product(x.shape.slice(0, -1));
    const flatX = reshape(x, { shape: [rows, w.shape[1]!] });
    const flatDy = reshape(dy, { shape: [rows, w.shape[0]!] });
    return {
      x: matmul(dy, w),
      w: matmul(transposeLast(flatDy), flatX),
      ...(bias && { bias: sum(flatDy, { axes: [0] }) }),
    };
  },
  // The weight stays as checkpoints keep it: this kernel is as fast on (out, in) as another on the transposed one, and
  // an embedding can be looked up and multiplied with in one copy.
  onnx: ({ x, w, bias }, _, y) => {
    const product = onnxNode("FusedMatMul", [x, w], { transB: 1 }, y, microsoft);
    return bias ? add(product, bias) : product;
  },
  decomposition: ({ x, w, bias }) => {
    const y = matmul(x, transposeLast(w));
    return bias ? add(y, bias) : y;
  },
});
