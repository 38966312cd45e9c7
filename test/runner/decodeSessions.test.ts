/** Which program a run of so many rows gets, and that both give the same logits. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { withRandomWeights } from "../../bench/randomModel.js";
import { fewRows, linear } from "../../src/graph/index.js";
import { type Compiled, compile, type WeightUse } from "../../src/onnx/compile.js";
import { createDecoder } from "../../src/runner/decoder.js";
import { decodeSessions } from "../../src/runner/decodeSessions.js";
import { decodeGraph } from "../../src/runner/graphs.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime, Session } from "../../src/runtime/runtime.js";
import { largestDifference } from "../tinyModel.js";
import { config, image, imageToken } from "./smallModel.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openOrtFfi();
});
afterAll(() => runtime.close());

test("turned round, every product of the decode program has the checkpoint's matrix at its left", () => {
  const graph = fewRows(decodeGraph(config));
  const products = graph.nodes.filter(({ op }) => op === linear.op);
  expect(products.length).toBeGreaterThan(20);
  for (const { inputs } of products) expect(inputs[0]!.node.op.name).toBe("weight");
  expect([...graph.weights.keys()].sort()).toEqual([...decodeGraph(config).weights.keys()].sort());
});

test("turned round or not, the logits are the same, for one row and for several prompts", async () => {
  const prompts = [
    { ids: [imageToken, 1, 2, 3, 4], images: [image(1)] },
    { ids: [imageToken, 5], images: [image(2)] },
  ];
  const logits = async (compiled: Compiled) => {
    await using session = await runtime.load(withRandomWeights(compiled, 0.3));
    const sessionOf = () => Promise.resolve(session);
    const zeroImage = async () => image(0);
    const decoder = await createDecoder({
      ...{ runtime, sessionOf, config, imageToken, prompts, capacity: 1, zeroImage },
    });
    const first = (await decoder.prefill()).map((row) => row.slice());
    const second = await decoder.step([7, 8]);
    decoder.close();
    return [...first, ...second];
  };
  const plain = await logits(compile(decodeGraph(config)));
  const turned = await logits(compile(fewRows(decodeGraph(config))));
  plain.forEach((row, i) => {
    expect(largestDifference(row, turned[i]!)).toBeLessThan(1e-5);
  });
});

/** A float32 matrix of so many bytes. */
const weightsOf = (bytes: number): readonly WeightUse[] => {
  const shape = [bytes / 4096, 1024];
  return [{ name: "w", dtype: "float32", shape, tensor: "w", from: shape }];
};

test.each([
  ["a large model in float32", 2 ** 28, true, [1, 2, 2, 1]],
  ["one that is smaller", 2 ** 27, true, [1, 1, 1, 1]],
  ["where sessions copy their weights", 2 ** 28, false, [1, 1, 1, 1]],
])("runs of 1, 2, 64 and 65 rows: %s", async (_, bytes, sharesWeights, expected) => {
  const [plain, turned] = [{}, {}] as [Session, Session];
  let made = 0;
  const decoding = { session: plain, weights: weightsOf(bytes) };
  const sessionOf = decodeSessions({ sharesWeights } as Runtime, config, decoding, async () => {
    made++;
    return turned;
  });
  const chosen = [];
  for (const rows of [1, 2, 64, 65]) chosen.push((await sessionOf(rows)) === turned ? 2 : 1);
  expect(chosen).toEqual(expected);
  expect(made).toBe(expected.includes(2) ? 1 : 0);
});
