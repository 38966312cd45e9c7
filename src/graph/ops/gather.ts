/** Rows of a table by number, and single values by position; each with the scattering that is its gradient. */

import { onnxNode } from "../backendNode.js";
import { constant } from "../constant.js";
import { defineOp, type Operator } from "../op.js";
import { type Dim, sameShape, showShape } from "../size.js";
import { shapeError, type Tensor } from "../tensor.js";
import { cast, equal, where } from "./elementwise.js";
import { reshape } from "./layout.js";
import { broadcastTo, sum } from "./reduce.js";
import { iota } from "./sources.js";

function requireInt32(operator: string, name: string, { dtype }: Tensor): void {
  if (dtype !== "int32") throw shapeError(operator, `${name} are ${dtype}, not int32`);
}

/** Rows of a table: table (n, …), rows int32 (any) → (any, …). */
export const gather: Operator<["table", "rows"]> = defineOp({
  name: "gather",
  inputs: ["table", "rows"],
  shape: ({ table, rows }) => {
    requireInt32("gather", "rows", rows);
    if (table.shape.length === 0) throw shapeError("gather", "a scalar has no rows");
    return { dtype: table.dtype, shape: [...rows.shape, ...table.shape.slice(1)] };
  },
  grad: ({ table, rows, dy }) => ({ table: scatterAdd(rows, dy, { count: table.shape[0]! }) }),
  onnx: ({ table, rows }, _, y) => onnxNode("Gather", [table, rows], { axis: 0 }, y),
});

/** Adds each of `values` (any, …) to the row that `rows` (any) names, of a table of zeros (count, …). */
export const scatterAdd: Operator<["rows", "values"], { count: Dim }> = defineOp({
  name: "scatterAdd",
  inputs: ["rows", "values"],
  shape: ({ rows, values }, { count }) => {
    requireInt32("scatterAdd", "rows", rows);
    const any = rows.shape.length;
    if (!sameShape(values.shape.slice(0, any), rows.shape)) {
      throw shapeError(
        "scatterAdd",
        `${showShape(values.shape)} does not begin with ${showShape(rows.shape)}`,
      );
    }
    return { dtype: values.dtype, shape: [count, ...values.shape.slice(any)] };
  },
  grad: ({ rows, dy }) => ({ values: gather(dy, rows) }),
  onnx: ({ rows, values }, _, y, graph) => {
    const zeros = broadcastTo(constant(graph, 0, { dtype: values.dtype }), { shape: y.shape });
    const indices = cast(reshape(rows, { shape: [...rows.shape, 1] }), { to: "int64" });
    return onnxNode("ScatterND", [zeros, indices, values], { reduction: "add" }, y);
  },
});

/** One value of each row: x (…, n), indices int32 (…) → (…). An index outside 0 … n−1 gives 0. */
export const takeAlongAxis: Operator<["x", "indices"]> = defineOp({
  name: "takeAlongAxis",
  inputs: ["x", "indices"],
  shape: ({ x, indices }) => {
    requireInt32("takeAlongAxis", "indices", indices);
    if (x.shape.length === 0 || !sameShape(x.shape.slice(0, -1), indices.shape)) {
      throw shapeError(
        "takeAlongAxis",
        `${showShape(x.shape)} has no index for each of ${showShape(indices.shape)}`,
      );
    }
    return { dtype: x.dtype, shape: indices.shape };
  },
  decomposition: ({ x, indices }, _, __, graph) => {
    const here = equal(iota(graph, x.shape.at(-1)!), reshape(indices, { shape: [...indices.shape, 1] }));
    return sum(where(here, x, 0), { axes: [-1] });
  },
});
