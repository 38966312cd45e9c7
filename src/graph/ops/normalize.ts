/** Softmax and its logarithm, and layer normalisation. */

import { onnxNode } from "../backendNode.js";
import { defineOp, type Operator } from "../op.js";
import { sameDim, showShape } from "../size.js";
import { shapeError, type Tensor } from "../tensor.js";
import { add, div, exp, log, mul, sqrt, sub } from "./elementwise.js";
import { axesOf, max, mean, sum, sumTo } from "./reduce.js";

interface Axis {
  readonly axis: number;
}
const alongAxis =
  (operator: string) =>
  ({ x }: { x: Tensor }, { axis }: Axis) => {
    axesOf(operator, x, [axis]);
    return x;
  };

/**
 * y_i = e^x_i / Σ_j e^x_j along `axis`; each row sums to 1. Undefined for a row of −∞ alone: mask with −1e30,
 * kernels disagree about −3.4e38.
 */
export const softmax: Operator<["x"], Axis> = defineOp({
  name: "softmax",
  inputs: ["x"],
  shape: alongAxis("softmax"),
  // dx = y ⊙ (dy − Σ y ⊙ dy): from y alone, so x need not live until the backward pass.
  grad: ({ y, dy }, { axis }) => ({
    x: mul(y, sub(dy, sum(mul(y, dy), { axes: [axis], keep: true }))),
  }),
  onnx: ({ x }, { axis }, y) => onnxNode("Softmax", [x], { axis }, y),
  // Without the row's maximum, e^x overflows float16 from x = 11.1 on.
  decomposition: ({ x }, { axis }) => {
    const e = exp(sub(x, max(x, { axes: [axis], keep: true })));
    return div(e, sum(e, { axes: [axis], keep: true }));
  },
});

/** y_i = x_i − log Σ_j e^x_j along `axis`. */
export const logSoftmax: Operator<["x"], Axis> = defineOp({
  name: "logSoftmax",
  inputs: ["x"],
  shape: alongAxis("logSoftmax"),
  // dx = dy − softmax(x) Σ dy
  grad: ({ y, dy }, { axis }) => ({
    x: sub(dy, mul(exp(y), sum(dy, { axes: [axis], keep: true }))),
  }),
  onnx: ({ x }, { axis }, y) => onnxNode("LogSoftmax", [x], { axis }, y),
  decomposition: ({ x }, { axis }) => {
    const shifted = sub(x, max(x, { axes: [axis], keep: true }));
    return sub(shifted, log(sum(exp(shifted), { axes: [axis], keep: true })));
  },
});

/** y = (x − mean) / √(variance + ε) ⊙ scale + bias over the last axis; the variance is the biased one. */
export const layerNorm: Operator<["x", "scale", "bias?"], { epsilon: number }> = defineOp({
  name: "layerNorm",
  inputs: ["x", "scale", "bias?"],
  shape: ({ x, scale, bias }) => {
    const width = x.shape.at(-1);
    for (const each of bias ? [scale, bias] : [scale]) {
      if (width === undefined || each.shape.length !== 1 || !sameDim(each.shape[0]!, width)) {
        throw shapeError("layerNorm", `x ${showShape(x.shape)} does not end in ${showShape(each.shape)}`);
      }
    }
    return x;
  },
  // With x̂ = (x − mean) / σ and g = dy ⊙ scale: dx = (g − mean(g) − x̂ ⊙ mean(g ⊙ x̂)) / σ.
  grad: ({ x, scale, bias, dy }, { epsilon }) => {
    const { centred, deviation } = moments(x, epsilon);
    const normal = div(centred, deviation);
    const g = mul(dy, scale);
    const dx = div(sub(sub(g, rowMean(g)), mul(normal, rowMean(mul(g, normal)))), deviation);
    return {
      x: dx,
      scale: sumTo(mul(dy, normal), scale.shape),
      ...(bias && { bias: sumTo(dy, bias.shape) }),
    };
  },
  onnx: ({ x, scale, bias }, { epsilon }, y) =>
    onnxNode("LayerNormalization", [x, scale, bias], { axis: -1, epsilon: { float: epsilon } }, y),
  decomposition: ({ x, scale, bias }, { epsilon }) => {
    const { centred, deviation } = moments(x, epsilon);
    const y = mul(div(centred, deviation), scale);
    return bias ? add(y, bias) : y;
  },
});

const rowMean = (x: Tensor) => mean(x, { axes: [-1], keep: true });

/** x − mean, and √(variance + ε), of every row. */
function moments(x: Tensor, epsilon: number) {
  const centred = sub(x, rowMean(x));
  return { centred, deviation: sqrt(add(rowMean(mul(centred, centred)), epsilon)) };
}
