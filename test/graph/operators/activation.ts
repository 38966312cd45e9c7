/** Cases of the GELUs. */
import { gelu, quickGelu, type Tensor } from "../../../src/graph/index.js";
import { map } from "../arrays.js";
import { type Case, type Cases, floats, testCase } from "./cases.js";
import { errorFunction } from "./formulas.js";

const everywhere = (write: (x: Tensor) => Tensor, f: (x: number) => number): readonly Case[] =>
  [["b", "t", 3], [], [1, 7]].map((shape) =>
    testCase(
      `x of ${shape.length} axes`,
      { x: floats(shape, [-4, 4]) },
      ({ x }) => write(x),
      ({ x }) => map(f, x),
    ),
  );

export const activation: Cases = {
  gelu: everywhere(gelu, (x) => 0.5 * x * (1 + errorFunction(x / Math.SQRT2))),
  quickGelu: everywhere(quickGelu, (x) => x / (1 + Math.exp(-1.702 * x))),
};
