/**
 * Order among nodes that do not need each other. What is written again behind a barrier is another node to us and to a
 * backend, and cannot be computed before its time: so that values which are computed anew are not kept after all.
 */
import { defineOp, type Operator } from "../op.js";
import { product, showShape } from "../size.js";
import { shapeError } from "../tensor.js";
import { add, cast, mul } from "./elementwise.js";
import { reshape, slice } from "./layout.js";

/** x as it is, but not before `after` is known: x float32, at least one axis, and `after` of any type and shape. */
export const barrier: Operator<["x", "after"]> = defineOp({
  name: "barrier",
  inputs: ["x", "after"],
  shape: ({ x }) => {
    if (x.shape.length > 0 && x.dtype === "float32") return x;
    throw shapeError("barrier", `x is ${x.dtype} ${showShape(x.shape)}, and must be float32 and no scalar`);
  },
  grad: ({ dy }) => ({ x: dy }),
  // Backends know no such instruction, and leave out what has no effect. 0 times a number is one that none of them
  // leaves out: the number may be infinite. Where it is, the result is not a number, and neither would gradients be.
  decomposition: ({ x, after }) => {
    const first = slice(reshape(after, { shape: [product(after.shape)] }), { axis: 0, start: 0, end: 1 });
    const number = first.dtype === "float32" ? first : cast(first, { to: "float32" });
    return add(x, mul(number, 0));
  },
});
