/** TokenTree of one prompt beside the same texts alone, on a model of random weights. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { withRandomWeights } from "../../bench/randomModel.js";
import { compile } from "../../src/onnx/compile.js";
import { createDecoder } from "../../src/runner/decoder.js";
import type { Prompt } from "../../src/runner/encodedImages.js";
import { decodeGraph } from "../../src/runner/graphs.js";
import { createTokenTree, type TreeNode, type TreeOptions } from "../../src/runner/tokenTree.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime, Session } from "../../src/runtime/runtime.js";
import { largestDifference } from "../tinyModel.js";
import { config, image, imageToken } from "./smallModel.js";

/** Longer than one piece of reading. */
const prompt: Prompt = {
  ids: [90, ...Array.from({ length: 299 }, (_, i) => (i * i * 7 + i) % 90)],
  images: [image(1), image(2)],
};

let runtime: Runtime;
let session: Session;
const sessionOf = () => Promise.resolve(session);
beforeAll(async () => {
  runtime = await openOrtFfi();
  session = await runtime.load(withRandomWeights(compile(decodeGraph(config)), 0.3));
});
afterAll(() => runtime.close());

const open = (of: Prompt, options: TreeOptions) =>
  createTokenTree({ runtime, sessionOf, config, imageToken, prompt: of, ...options });

/** The logits after the prompt and further tokens, read as one text. */
async function alone(tokens: readonly number[]): Promise<Float32Array> {
  const whole = { ...prompt, ids: [...prompt.ids, ...tokens] };
  const zeroImage = async () => image(0);
  const prompts = [whole];
  const decoder = await createDecoder({
    ...{ runtime, sessionOf, config, imageToken },
    ...{ prompts, capacity: 0, zeroImage },
  });
  const [logits] = await decoder.prefill();
  decoder.close();
  return logits!;
}

/** The tokens of each node's branch, itself included. */
function texts(nodes: readonly TreeNode[]): readonly (readonly number[])[] {
  const all: number[][] = [];
  for (const { parent, token } of nodes) all.push([...(all[parent] ?? []), token]);
  return all;
}

const steps: readonly (readonly TreeNode[])[] = [
  [
    { parent: -1, token: 1 },
    { parent: -1, token: 2 },
    { parent: -1, token: 3 },
  ],
  // One branch ends, another forks.
  [
    { parent: 2, token: 4 },
    { parent: 2, token: 5 },
    { parent: 0, token: 4 },
  ],
  // Parents in the same call, and one of the first step.
  [
    { parent: 5, token: 6 },
    { parent: 6, token: 7 },
    { parent: 1, token: 8 },
    { parent: -1, token: 9 },
  ],
  // A branch writes an <image>, and then sees the second image; then another, and sees both; its neighbour does not.
  [
    { parent: 7, token: 90 },
    { parent: 10, token: 11 },
    { parent: 11, token: 90 },
    { parent: 7, token: 11 },
  ],
];

test("each branch is what its text is alone, whatever the other branches are", async () => {
  const all = steps.flat();
  const tree = await open(prompt, { nodes: all.length, depth: 7 });
  let largest = largestDifference(await tree.prefill(), await alone([]));
  const found: Float32Array[] = [];
  for (const children of steps) found.push(...(await tree.add(children)));
  tree.close();
  for (const [node, text] of texts(all).entries()) {
    largest = Math.max(largest, largestDifference(found[node]!, await alone(text)));
  }
  console.log(`${all.length} nodes of branches beside texts alone: ${largest.toExponential(1)}`);
  expect(largest).toBeLessThan(1e-5);
});

test("after clearing, the prompt is kept and nothing else", async () => {
  const tree = await open(prompt, { nodes: 3, depth: 1 });
  await tree.prefill();
  await tree.add(steps[0]!);
  tree.clear();
  const [again] = await tree.add([{ parent: -1, token: 42 }]);
  tree.close();
  expect(largestDifference(again!, await alone([42]))).toBeLessThan(1e-5);
});

test("what counts against the model's positions is the depth of branches, not their number", async () => {
  const left = config.language.contextLength - prompt.ids.length;
  (await open(prompt, { nodes: 2 * left, depth: left })).close();
  await expect(open(prompt, { nodes: 1, depth: left + 1 })).rejects.toMatchObject({
    code: "prompt-too-long",
  });
});

test("a signal stops between pieces of a long prompt", async () => {
  const tree = await open(prompt, { nodes: 0, depth: 0 });
  await expect(tree.prefill({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  tree.close();
});

test.each([
  ["an empty prompt", { ids: [], images: [] }, "usage"],
  ["an <image> without any image", { ids: [90, 1], images: [] }, "image-count"],
])("%s is rejected", async (_, of, code) => {
  await expect(open(of, { nodes: 1, depth: 1 })).rejects.toMatchObject({ code });
});
