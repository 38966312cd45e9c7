/** Cases of the tensors that come from sizes alone. */
import { iota, minus, plus, times } from "../../../src/graph/index.js";
import { dimensions } from "../../../src/graph/ops/sources.js";
import { array } from "../arrays.js";
import { type Cases, floats, testCase } from "./cases.js";

export const sources: Cases = {
  iota: [
    testCase(
      "as many as a named size",
      { x: floats(["b", "t"]) },
      ({ x }, graph) => iota(graph, x.shape[1]!),
      ({ x }) => array([x.shape[1]!], (i) => i),
    ),
    testCase(
      "as many as a product and a sum say",
      { x: floats(["b", "t"]) },
      ({ x }, graph) => iota(graph, plus(times(x.shape[0]!, x.shape[1]!), 2)),
      ({ x }) => array([x.data.length + 2], (i) => i),
    ),
    testCase(
      "a fixed number",
      { x: floats([1]) },
      (_, graph) => iota(graph, 5),
      () => array([5], (i) => i),
    ),
  ],
  dimensions: [
    testCase(
      "names, sums, products, differences and numbers",
      { x: floats(["b", "t"]) },
      ({ x }, graph) => {
        const [b, t] = x.shape as [never, never];
        return dimensions(graph, [
          b,
          plus(b, t),
          times(3, times(b, t)),
          minus(times(2, t), b),
          plus(t, 1),
          7,
        ]);
      },
      ({ x }) => {
        const [b, t] = x.shape as [number, number];
        return { shape: [6], data: [b, b + t, 3 * b * t, 2 * t - b, t + 1, 7] };
      },
    ),
  ],
};
