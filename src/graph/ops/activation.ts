/** The two GELUs of this family of models. Gradients are in as few steps as there can be: each reads all numbers again. */

import { microsoft, onnxNode } from "../backendNode.js";
import { defineOp, type Operator } from "../op.js";
import { add, erf, exp, mul, sigmoid, sub } from "./elementwise.js";

/** ½ x (1 + erf(x / √2)): "Gaussian Error Linear Units" (arXiv:1606.08415), without approximation. */
export const gelu: Operator<["x"]> = defineOp({
  name: "gelu",
  inputs: ["x"],
  shape: ({ x }) => x,
  // y′ = ½ (1 + erf(u) + 2/√π · u e^−u²) with u = x / √2
  grad: ({ x, dy }) => {
    const u = mul(x, Math.SQRT1_2);
    const density = exp(mul(u, mul(x, -Math.SQRT1_2)));
    const slope = add(erf(u), mul(mul(x, Math.sqrt(2 / Math.PI)), density));
    return { x: mul(dy, add(mul(slope, 0.5), 0.5)) };
  },
  onnx: ({ x }, _, y) => onnxNode("Gelu", [x], {}, y, microsoft),
  decomposition: ({ x }) => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1)),
});

/** x σ(1.702 x): the form that OpenAI's CLIP weights were trained with. */
export const quickGelu: Operator<["x"]> = defineOp({
  name: "quickGelu",
  inputs: ["x"],
  shape: ({ x }) => x,
  // y′ = σ(a) + a σ(a) (1 − σ(a)) = σ(a) + 1.702 (y − y σ(a)) with a = 1.702 x
  grad: ({ x, y, dy }) => {
    const s = sigmoid(mul(x, 1.702));
    return { x: mul(dy, add(s, mul(sub(y, mul(y, s)), 1.702))) };
  },
  onnx: ({ x }, _, y) => onnxNode("QuickGelu", [x], { alpha: { float: 1.702 } }, y, microsoft),
  decomposition: ({ x }) => mul(x, sigmoid(mul(x, 1.702))),
});
