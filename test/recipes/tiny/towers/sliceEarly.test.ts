/** Where only a slice is looked at, what comes before is of that slice, and the numbers are the same. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { sliceEarly } from "../../../../recipes/tiny/towers/sliceEarly.js";
import { createGraph, type Graph, grad, input, mul, output, sum } from "../../../../src/graph/index.js";
import { trainedParameters } from "../../../../src/learn/gradients.js";
import { imageFeatures } from "../../../../src/models/clip.js";
import { compile } from "../../../../src/onnx/compile.js";
import { openOrtFfi } from "../../../../src/runtime/ortFfi.node.js";
import type { Runtime } from "../../../../src/runtime/runtime.js";
import { host, noise } from "../../../graph/arrays.js";
import { clip } from "./tinyTowers.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openOrtFfi();
});
afterAll(() => runtime.close());

function features(isEarly: boolean) {
  const whole = createGraph("features");
  const { p, named } = trainedParameters(whole);
  const pixels = input(whole, "pixels", "float32", ["b", 3, 16, 16]);
  output(whole, "features", imageFeatures(p, pixels, clip.vision, clip.text.features));
  const graph = isEarly ? sliceEarly(whole) : whole;
  const y = graph.outputs.get("features")!;
  const loss = sum(mul(mul(y, y), y), { axes: [0, 1] });
  const names = [...named.keys()];
  grad(
    loss,
    names.map((name) => graph.inputs.get(name)!),
  ).forEach((gradient, i) => {
    output(graph, `gradient of ${names[i]}`, gradient);
  });
  return { graph, named };
}

/** The shapes that an operator's results have. */
const shapesOf = ({ nodes, outputs }: Graph, name: string) => {
  const used = new Set([...outputs.values()].map(({ node }) => node));
  for (const node of [...nodes].reverse())
    if (used.has(node)) for (const each of node.inputs) if (each) used.add(each.node);
  return nodes
    .filter((node) => used.has(node) && node.op.name === name)
    .map(({ results: [y] }) => y!.shape.slice(1).join());
};

test("of a tower's last block only the class token is computed, with the same gradients", async () => {
  const [whole, early] = [features(false), features(true)];
  expect(shapesOf(whole.graph, "gelu")).toEqual(["5,64", "5,64"]);
  expect(shapesOf(early.graph, "gelu")).toEqual(["5,64", "1,64"]);
  expect(shapesOf(early.graph, "attention")).toEqual(["2,5,8", "2,1,8"]);
  const feeds = Object.fromEntries(
    [["pixels", [3, 3, 16, 16]] as const, ...whole.named].map(([name, shape], i) => [
      name,
      host(noise(shape, i), "float32"),
    ]),
  );
  const run = async (graph: Graph) => {
    await using session = await runtime.load({ ...compile(graph).program, weights: new Map() });
    return await session.run(feeds);
  };
  const [a, b] = [await run(whole.graph), await run(early.graph)];
  expect(Object.keys(b)).toEqual(Object.keys(a));
  for (const [name, { data }] of Object.entries(a)) {
    const [ours, theirs] = [b[name]!.data as Float32Array, data as Float32Array];
    const most = Math.max(...theirs.map(Math.abs));
    expect(Math.max(...theirs.map((x, i) => Math.abs(x - ours[i]!))), name).toBeLessThan(1e-5 * most);
    expect(most, name).toBeGreaterThan(0);
  }
});

test("what is looked at as a whole, or in two different parts, stays whole", () => {
  const graph = createGraph("both");
  const { p } = trainedParameters(graph);
  const pixels = input(graph, "pixels", "float32", ["b", 3, 16, 16]);
  output(graph, "features", imageFeatures(p, pixels, clip.vision, clip.text.features));
  const last = graph.nodes.findLast(({ op }) => op.name === "gelu")!;
  output(graph, "inner", last.results[0]!);
  expect(shapesOf(sliceEarly(graph), "gelu")).toEqual(["5,64", "5,64"]);
});
