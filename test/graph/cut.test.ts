/** Stages of a graph, run one after the other, give what the whole gives; each has what it needs and no more. */
import { expect, test } from "vitest";
import {
  add,
  cast,
  createGraph,
  cutGraph,
  input,
  iota,
  linear,
  mul,
  namedSize,
  output,
  sum,
  type Tensor,
  tanh,
  weight,
} from "../../src/graph/index.js";
import { compile } from "../../src/onnx/compile.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { host, noise } from "./arrays.js";
import { useBackend } from "./evaluate.js";

const backend = useBackend();

/** Three layers, cut between them; the second has an input and an output of its own. */
function layered() {
  const graph = createGraph("layered");
  const x = input(graph, "x", "float32", ["b", 3]);
  const side = input(graph, "side", "float32", ["b", 3]);
  input(graph, "room", "float32", ["capacity"]); // nothing but its length is used
  const mask = mul(tanh(input(graph, "mask", "float32", ["b", 1])), 2); // wanted in all layers
  const layer = (y: Tensor, i: number) =>
    mul(tanh(linear(y, weight(graph, `w${i}`, [3, 3]), undefined)), mask);
  const first = layer(x, 0);
  const second = add(layer(first, 1), side);
  const third = layer(second, 2);
  output(graph, "of mask", mul(mask, 5));
  output(graph, "of second", mul(second, 3));
  const positions = cast(iota(graph, namedSize("capacity")), { to: "float32" });
  output(graph, "of third", mul(third, sum(positions, { axes: [0] })));
  return { graph, cuts: [first, second] };
}
const weights = { w0: noise([3, 3], 1), w1: noise([3, 3], 2), w2: noise([3, 3], 3) };
const feeds = {
  x: host(noise([2, 3], 4), "float32"),
  side: host(noise([2, 3], 5), "float32"),
  room: host(noise([4], 6), "float32"),
  mask: host(noise([2, 1], 7), "float32"),
};

test("each stage has its own weights and outputs, what is handed on, and inputs that are needed", () => {
  const { graph, cuts } = layered();
  const stages = cutGraph(graph, cuts).map(({ inputs, weights, outputs }) =>
    [inputs, weights, outputs].map((each) => [...each.keys()].join(", ")),
  );
  expect(stages).toEqual([
    ["x, room, mask", "w0", "of mask, cut.0"],
    ["cut.0, side, room, mask", "w1", "cut.1"],
    ["cut.1, room, mask", "w2", "of second, of third"],
  ]);
});

test("without a cut it is the whole", () => {
  const { graph } = layered();
  const [whole, ...others] = cutGraph(graph, []);
  expect(others).toEqual([]);
  expect(compile(whole!).program.bytes).toEqual(compile(graph).program.bytes);
});

test("one after the other they give what the whole gives", async () => {
  const { graph, cuts } = layered();
  await using whole = await backend.load(graph, weights);
  const expected = await whole.run(feeds);
  const given: Record<string, HostTensor> = { ...feeds };
  for (const stage of cutGraph(graph, cuts)) {
    await using session = await backend.load(stage, weights);
    const wanted = [...stage.inputs.keys()].map((name) => [name, given[name]!]);
    Object.assign(given, await session.run(Object.fromEntries(wanted)));
  }
  for (const [name, tensor] of Object.entries(expected)) expect(given[name]).toEqual(tensor);
});
