/** Cases of the operator that keeps order. */
import { barrier as behind } from "../../../src/graph/index.js";
import { bools, type Cases, floats, ints, testCase } from "./cases.js";

export const barrier: Cases = {
  barrier: [
    testCase(
      "x as it is, behind a matrix",
      { x: floats(["b", 3]), after: ints(["t", 2], [-3, 3]) },
      ({ x, after }) => behind(x, after),
      ({ x }) => x,
    ),
    testCase(
      "behind a scalar",
      { x: floats(["t"]), after: bools([]) },
      ({ x, after }) => behind(x, after),
      ({ x }) => x,
    ),
  ],
};
