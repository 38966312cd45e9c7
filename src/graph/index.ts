/**
 * The language that models are written in: tensors with named sizes, operators with gradients, and rewrites.
 *
 * @example
 * const g = createGraph("example");
 * const x = input(g, "x", "float32", ["b", 3]);
 * const w = weight(g, "w", [2, 3]);
 * output(g, "y", softmax(linear(x, w, undefined), { axis: -1 }));
 */

export { instructionOf, type OnnxAttribute } from "./backendNode.js";
export { bytesOfConstant, constant } from "./constant.js";
export {
  type BlockFormat,
  isInRows,
  type PartType,
  partShapes,
  partsOf,
  type QuantizedFormat,
  type RowFormat,
  type Span,
  spansOf,
  type WeightPart,
} from "./format.js";
export { grad } from "./grad.js";
export type { Operand, Operator } from "./op.js";
export * from "./ops/activation.js";
export { attention, cachedAttention, MASK_VALUE, maskValue, maskWhere } from "./ops/attention.js";
export { barrier } from "./ops/barrier.js";
export * from "./ops/elementwise.js";
export * from "./ops/gather.js";
export { operators } from "./ops/index.js";
export * from "./ops/layout.js";
export * from "./ops/linear.js";
export { layerNorm, logSoftmax, softmax } from "./ops/normalize.js";
export { dequantize, quantizedGather, quantizedLinear } from "./ops/quantized.js";
export { broadcastTo, max, mean, sum, sumOfSquares } from "./ops/reduce.js";
export { rowQuantizedLinear } from "./ops/rowQuantized.js";
export { dimensions, iota } from "./ops/sources.js";
export { print } from "./print.js";
export { rearrange, sizes } from "./rearrange.js";
export { cutGraph, cutName } from "./rewrite/cut.js";
export { fewRows } from "./rewrite/fewRows.js";
export { fold } from "./rewrite/fold.js";
export { inputSquares, tensorOfSquares } from "./rewrite/inputSquares.js";
export { type FormatOf, quantize } from "./rewrite/quantize.js";
export { recompute, type Segment } from "./rewrite/recompute.js";
export { moveNode, type Rule, rewrite, withoutUnused } from "./rewrite/rewrite.js";
export { multipliedOnly, roundProducts } from "./rewrite/roundProducts.js";
export { rowsName, trainRows } from "./rewrite/trainRows.js";
export {
  type Dim,
  evaluateDim,
  minus,
  namedSize,
  over,
  plus,
  type Shape,
  showDim,
  showShape,
  times,
} from "./size.js";
export {
  createGraph,
  type Graph,
  input,
  isConstant,
  isSource,
  isWeight,
  type Node,
  namedInputs,
  nameOf,
  originOf,
  output,
  type Tensor,
  type TensorType,
  type WeightOrigin,
  weight,
  weightParts,
} from "./tensor.js";
