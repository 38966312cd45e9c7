/** Cases of products of matrices. */
import { linear as linearLayer, matmul } from "../../../src/graph/index.js";
import { array, at, broadcast, type Plain, sumOf } from "../arrays.js";
import { type Cases, floats, type Given, testCase } from "./cases.js";

/** Σ_k a(…, i, k) b(…, k, j), with the axes before the last two broadcast. */
function multiplied(a: Plain, b: Plain): Plain {
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const inner = Array.from({ length: a.shape.at(-1)! }, (_, k) => k);
  return array([...batch, a.shape.at(-2)!, b.shape.at(-1)!], (...index) => {
    const [place, i, j] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
    return sumOf(inner.map((k) => at(a, ...place, i, k) * at(b, ...place, k, j)));
  });
}

const product = (what: string, a: Given, b: Given) =>
  testCase(
    what,
    { a, b },
    (x) => matmul(x.a, x.b),
    (x) => multiplied(x.a, x.b),
  );

/** Σ_k x(…, k) w(j, k) + bias(j) */
const layer = (x: Plain, w: Plain, bias?: Plain): Plain =>
  array([...x.shape.slice(0, -1), w.shape[0]!], (...index) => {
    const [place, j] = [index.slice(0, -1), index.at(-1)!];
    return (
      sumOf(Array.from({ length: w.shape[1]! }, (_, k) => at(x, ...place, k) * at(w, j, k))) +
      (bias ? at(bias, j) : 0)
    );
  });

export const linear: Cases = {
  matmul: [
    product("two matrices", floats(["b", 3]), floats([3, "t"])),
    product("a batch and one matrix", floats(["b", "t", 3]), floats([3, 4])),
    product("two batches", floats(["b", 2, "t", 3]), floats(["b", 2, 3, 2])),
    product("batches that are broadcast both ways", floats(["b", 1, 2, 3]), floats(["t", 3, 2])),
    product("sizes of 1 all over", floats([1, 1]), floats([1, 1])),
  ],
  linear: [
    testCase(
      "with a bias, several axes before the last",
      { x: floats(["b", "t", 2, 3]), w: floats([4, 3]), bias: floats([4]) },
      ({ x, w, bias }) => linearLayer(x, w, bias),
      ({ x, w, bias }) => layer(x, w, bias),
    ),
    testCase(
      "without",
      { x: floats(["t", 3]), w: floats([2, 3]) },
      ({ x, w }) => linearLayer(x, w, undefined),
      ({ x, w }) => layer(x, w),
    ),
    testCase(
      "one number to one number",
      { x: floats(["b", 1]), w: floats([1, 1]), bias: floats([1]) },
      ({ x, w, bias }) => linearLayer(x, w, bias),
      ({ x, w, bias }) => layer(x, w, bias),
    ),
  ],
};
