/** The decoder's own promises, on a model of random weights with room for long prompts. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withRandomWeights } from "../../bench/randomModel.js";
import type { FormatOf } from "../../src/graph/index.js";
import { ALL_IMAGES, NO_IMAGE } from "../../src/models/crossAttention.js";
import { compile } from "../../src/onnx/compile.js";
import { pieceLengthOf } from "../../src/runner/call.js";
import { createDecoder } from "../../src/runner/decoder.js";
import type { Prompt } from "../../src/runner/encodedImages.js";
import { decodeGraph } from "../../src/runner/graphs.js";
import { imageIndexOf } from "../../src/runner/imageIndex.js";
import { programsOf } from "../../src/runner/modelRunner.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime, Session } from "../../src/runtime/runtime.js";
import { formatsOf } from "../../src/weights/weightFormats.js";
import { largestDifference } from "../tinyModel.js";
import { config, image, imageToken } from "./smallModel.js";

const zeroImage = async () => image(0);
const text = (length: number, seed: number) =>
  Array.from({ length }, (_, i) => (i * i * 7 + seed * 13 + i) % 90);

let runtime: Runtime;
let session: Session;
const sessionOf = () => Promise.resolve(session);
beforeAll(async () => {
  runtime = await openOrtFfi();
  session = await runtime.load(withRandomWeights(compile(decodeGraph(config)), 0.3));
});
afterAll(() => runtime.close());

const open = (prompts: readonly Prompt[], capacity = 0) =>
  createDecoder({ runtime, sessionOf, config, imageToken, prompts, capacity, zeroImage });

describe("which image a token sees", () => {
  test.each([
    ["before the first <image>: none", [1, 90, 2], 1, [NO_IMAGE, 0, 0]],
    ["the last <image> up to itself", [90, 1, 90, 90, 2], 3, [0, 0, 1, 2, 2]],
    ["beyond the last image all", [90, 1, 90, 2], 1, [0, 0, ALL_IMAGES, ALL_IMAGES]],
    ["without images none", [1, 2], 0, [NO_IMAGE, NO_IMAGE]],
  ])("%s", (_, ids, images, imageIndices) => {
    expect([...imageIndexOf(ids, imageToken, images)]).toEqual(imageIndices);
  });
});

test("a long prompt read in pieces is the prompt read token by token", async () => {
  const ids = [90, ...text(299, 1), 90, ...text(320, 2)];
  const images = [image(1), image(2)];
  const whole = await open([{ ids, images }]);
  const [logits] = await whole.logits();
  whole.close();

  // The first 600 at once, the rest step by step.
  const stepped = await open([{ ids: ids.slice(0, 600), images }], ids.length - 600);
  let [last] = await stepped.prefill();
  let largest = 0;
  for (let i = 600; i < ids.length; i++) {
    largest = Math.max(largest, largestDifference(last!, logits!.subarray((i - 1) * 100, i * 100)));
    [last] = await stepped.step([ids[i]!]);
  }
  stepped.close();
  console.log(`pieces beside steps: ${largest.toExponential(1)}`);
  expect(largest).toBeLessThan(1e-5);
});

test("prompts are read in pieces of the length that is asked for", async () => {
  const rows: number[] = [];
  const decoder = await createDecoder({
    ...{ runtime, config, imageToken, zeroImage, capacity: 0, pieceLength: 128 },
    prompts: [{ ids: text(300, 1), images: [] }],
    sessionOf(count) {
      rows.push(count);
      return sessionOf();
    },
  });
  await decoder.prefill();
  decoder.close();
  expect(rows).toEqual([128, 128, 44]);
});

test("of weights in blocks pieces are shorter", () => {
  const lengthOf = (formatOf?: FormatOf) => pieceLengthOf(programsOf(config, formatOf)[1]!.weights);
  expect(lengthOf()).toBe(256);
  expect(lengthOf(formatsOf("int8", { block: 16 }))).toBe(128);
});

test("rows of a batch are what they are alone", async () => {
  const prompts = [
    { ids: [90, ...text(5, 1)], images: [image(1)] },
    { ids: [90, ...text(300, 2), 90, 3], images: [image(2), image(3)] },
    { ids: text(40, 3), images: [] },
  ];
  const steps = [
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ];
  const batch = await open(prompts, steps.length);
  const together = [(await batch.prefill()).map((row) => row.slice())];
  for (const tokens of steps) together.push((await batch.step(tokens)).map((row) => row.slice()));
  batch.close();
  let largest = 0;
  for (const [row, prompt] of prompts.entries()) {
    const alone = await open([prompt], steps.length);
    const logits = [(await alone.prefill())[0]!.slice()];
    for (const tokens of steps) logits.push((await alone.step([tokens[row]!]))[0]!.slice());
    alone.close();
    logits.forEach((each, step) => {
      largest = Math.max(largest, largestDifference(each, together[step]![row]!));
    });
  }
  console.log(`batch beside rows alone: ${largest.toExponential(1)}`);
  expect(largest).toBeLessThan(1e-5);
});

test("in a batch, a token beyond its row's images sees the images of zeros there", async () => {
  const surplus = { ids: [90, 1, 90, 2], images: [image(1)] };
  const other = { ids: [90, 1, 90, 2, 3], images: [image(2), image(3)] };
  const batch = await open([surplus, other]);
  const [inBatch] = await batch.logits();
  batch.close();
  const padded = await open([{ ids: surplus.ids, images: [image(1), await zeroImage()] }]);
  const [expected] = await padded.logits();
  padded.close();
  expect(largestDifference(inBatch!, expected!)).toBeLessThan(1e-5);
});

test("a signal stops in the middle of a long prompt", async () => {
  const decoder = await open([{ ids: text(1500, 1), images: [] }]);
  const controller = new AbortController();
  const run = decoder.prefill({ signal: controller.signal });
  setImmediate(() => controller.abort(new Error("enough")));
  await expect(run).rejects.toThrow("enough");
  decoder.close();
  // The session is as good as before.
  const next = await open([{ ids: text(10, 1), images: [] }]);
  expect((await next.prefill())[0]!.every(Number.isFinite)).toBe(true);
  next.close();
});

test.each([
  ["too long a prompt", [{ ids: text(1501, 1), images: [] }], "prompt-too-long"],
  ["an empty prompt", [{ ids: [], images: [] }], "usage"],
  ["an <image> without any image", [{ ids: [90, 1], images: [] }], "image-count"],
])("%s is rejected", async (_, prompts, code) => {
  await expect(open(prompts)).rejects.toMatchObject({ code });
});

test("what a batch binds is released when it is closed, also after a prompt that was stopped", async () => {
  const bound = new Set<unknown>();
  const bind: Runtime["bind"] = (tensor) => {
    const made = runtime.bind(tensor);
    bound.add(made);
    const release = made.release.bind(made);
    made.release = () => {
      bound.delete(made);
      release();
    };
    return made;
  };
  const counting = Object.assign(Object.create(runtime) as Runtime, { bind });
  const prompts = [1, 2].map((seed) => ({ ids: [90, ...text(30, seed)], images: [image(seed)] }));
  const options = { runtime: counting, sessionOf, config, imageToken, prompts, capacity: 1, zeroImage };
  for (const signal of [undefined, AbortSignal.abort(new Error("enough"))]) {
    const batch = await createDecoder(options);
    const open = bound.size;
    expect(open).toBeGreaterThan(0);
    await batch.prefill({ signal }).catch(() => {});
    expect(bound.size).toBe(open); // none of a single row's is left
    batch.close();
    expect(bound.size).toBe(0);
  }
});
