/**
 * The training loss: mean cross-entropy of the next token, over the tokens that have a label.
 *
 * Reference: the labels' shift of the hub's MPT code, and torch's `cross_entropy` with `ignore_index` −100.
 */
import {
  cast,
  dimensions,
  div,
  less,
  logSoftmax,
  minus,
  neg,
  reshape,
  sizes,
  slice,
  sub,
  sum,
  type Tensor,
  takeAlongAxis,
} from "../graph/index.js";

/**
 * @param logits float32 (b, t, V)
 * @param labels int32 (b, t): token ids, or −100 where nothing is to be learnt. The label of a token is the next one.
 * @returns a scalar; not a number if there is no label at all
 */
export function nextTokenLoss(logits: Tensor, labels: Tensor): Tensor {
  const { t } = sizes(labels, "b t");
  const predictions = slice(logSoftmax(logits, { axis: -1 }), { axis: 1, start: 0, end: minus(t, 1) }); // (b, t − 1, V)
  const next = slice(labels, { axis: 1, start: 1, end: t }); // (b, t − 1)
  const learnt = sum(cast(sub(1, cast(less(next, 0), { to: "int32" })), { to: "float32" }), { axes: [0, 1] });
  return neg(div(sum(takeAlongAxis(predictions, next), { axes: [0, 1] }), learnt)); // ()
}

/**
 * The same where the tokens with a label were picked out beforehand.
 *
 * @param logits float32 (w, V), of the tokens before those to be learnt
 * @param labels int32 (w): ids
 * @returns a scalar; not a number for none
 */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const { w } = sizes(labels, "w");
  const count = cast(dimensions(logits.node.graph, [w]), { to: "float32" }); // (1)
  const sumOfLogs = sum(takeAlongAxis(logSoftmax(logits, { axis: -1 }), labels), { axes: [0], keep: true }); // (1)
  return reshape(neg(div(sumOfLogs, count)), { shape: [] }); // ()
}
