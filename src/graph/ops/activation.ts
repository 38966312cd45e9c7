/** The two GELUs of this family of models. Both are differentiated by their decompositions. */

import { microsoft, onnxNode } from "../backendNode.js";
import { defineOp, type Operator } from "../op.js";
import { add, erf, mul, sigmoid } from "./elementwise.js";

/** ½ x (1 + erf(x / √2)): "Gaussian Error Linear Units" (arXiv:1606.08415), without approximation. */
export const gelu: Operator<["x"]> = defineOp({
  name: "gelu",
  inputs: ["x"],
  shape: ({ x }) => x,
  onnx: ({ x }, _, y) => onnxNode("Gelu", [x], {}, y, microsoft),
  decomposition: ({ x }) => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1)),
});

/** x σ(1.702 x): the form that OpenAI's CLIP weights were trained with. */
export const quickGelu: Operator<["x"]> = defineOp({
  name: "quickGelu",
  inputs: ["x"],
  shape: ({ x }) => x,
  onnx: ({ x }, _, y) => onnxNode("QuickGelu", [x], { alpha: { float: 1.702 } }, y, microsoft),
  decomposition: ({ x }) => mul(x, sigmoid(mul(x, 1.702))),
});
