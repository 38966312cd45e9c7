/** Caches of fewer bits: how far from float32 they lead, that rows stay by themselves, and what memory they are. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withRandomWeights } from "../../bench/randomModel.js";
import { bytesOf } from "../../src/base/dtypes.js";
import { mpt } from "../../src/models/mpt.js";
import { compile } from "../../src/onnx/compile.js";
import type { CacheFormat } from "../../src/runner/cacheFormats.js";
import { createDecoder, type Decoder } from "../../src/runner/decoder.js";
import type { Prompt } from "../../src/runner/encodedImages.js";
import { decodeGraph } from "../../src/runner/graphs.js";
import { cacheBytes, createKvCache } from "../../src/runner/kvCache.js";
import { createTokenTree } from "../../src/runner/tokenTree.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime, Session } from "../../src/runtime/runtime.js";
import {
  type GoldenModel,
  largestDifference,
  tinyModel,
  tinyModel9bWith,
  tinyModelsWith,
} from "../tinyModel.js";
import { config, image, imageToken } from "./smallModel.js";

const few = ["fp16", "int8"] as const;

describe.each(tinyModelsWith("generation.json", "caches of fewer bits"))("$name", (golden) => {
  test("logits and the most probable tokens beside those of float32", async () => {
    const exact = await logitsOf(golden, "fp32", prompts);
    for (const [format, far, others] of [
      ["fp16", 0.001, 0],
      ["int8", 0.02, 3], // in made-up texts two tokens are often nearly as probable as each other
    ] as const) {
      const found = await logitsOf(golden, format, prompts);
      const error = relativeError(found, exact);
      const changed = found.filter((each, i) => mostProbable(each) !== mostProbable(exact[i]!)).length;
      const beside = `${changed} of ${found.length} tokens others`;
      console.log(`${golden.name}, ${format}: ${error.toExponential(1)}, ${beside}`);
      expect(error).toBeGreaterThan(1e-6); // it is another cache
      expect(error).toBeLessThan(far);
      expect(changed).toBeLessThanOrEqual(others);
    }
  });
});

test.each(tinyModel9bWith("generation.json", "caches of fewer bits through the binding"))(
  "through the binding they are what they are through the C interface",
  async ({ name }) => {
    const short = [{ prompt: 3, steps: 3 }];
    for (const [format, far] of [
      ["fp16", 1e-3],
      ["int8", 1e-5],
    ] as const) {
      const through = await logitsOf(tinyModel(name, "ort.binding"), format, short);
      expect(relativeError(through, await logitsOf(tinyModel(name), format, short))).toBeLessThan(far);
    }
  },
);

/** A prompt of three tokens shows little of what is to come; one of 20 more. */
const prompts = [
  { prompt: 3, steps: 30 },
  { prompt: 20, steps: 13 },
];

/** Logits after prompts of so many tokens, and after each of so many tokens that follow them. */
async function logitsOf(
  { ids, open }: GoldenModel,
  format: CacheFormat,
  lengths: typeof prompts,
): Promise<readonly Float32Array[]> {
  const model = await open(undefined, format);
  const images = [await model.image("p0")];
  const text = [ids.image, ...Array.from({ length: 40 }, (_, i) => (i * i * 31 + 7 * i + 5) % ids.image)];
  const found: Float32Array[] = [];
  for (const { prompt, steps } of lengths) {
    const decoder = await model.runner.decoder([{ ids: text.slice(0, prompt), images }], { capacity: steps });
    found.push((await decoder.prefill())[0]!.slice());
    for (const token of text.slice(prompt, prompt + steps))
      found.push((await decoder.step([token]))[0]!.slice());
    decoder.close();
  }
  await model.close();
  return found;
}

/** The root of the mean square of differences, relative to the spread of the logits. */
function relativeError(found: readonly Float32Array[], exact: readonly Float32Array[]): number {
  let [errors, spread] = [0, 0];
  exact.forEach((row, i) => {
    const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
    row.forEach((x, j) => {
      errors += (found[i]![j]! - x) ** 2;
      spread += (x - mean) ** 2;
    });
  });
  return Math.sqrt(errors / spread);
}

const mostProbable = (logits: Float32Array): number => logits.indexOf(Math.max(...logits));

describe.each(few)("on a small model of random weights, %s", (cacheFormat) => {
  // The kernel adds up halves in another order where there are other rows: 3e-5.
  const alike = cacheFormat === "fp16" ? 1e-4 : 1e-5;
  let runtime: Runtime;
  let session: Session;
  const program = () => ({
    ...{ runtime, sessionOf: () => Promise.resolve(session), config, imageToken, cacheFormat },
  });
  beforeAll(async () => {
    runtime = await openOrtFfi();
    session = await runtime.load(withRandomWeights(compile(decodeGraph(config, cacheFormat)), 0.3));
  });
  afterAll(() => runtime.close());

  const text = (length: number, seed: number) =>
    Array.from({ length }, (_, i) => (i * i * 7 + seed * 13 + i) % 90);
  const prompts: readonly Prompt[] = [
    { ids: [90, ...text(5, 1)], images: [image(1)] },
    { ids: [90, ...text(300, 2)], images: [image(2)] },
    { ids: text(40, 3), images: [] },
  ];
  const open = (of: readonly Prompt[], capacity: number): Promise<Decoder> =>
    createDecoder({ ...program(), prompts: of, capacity, zeroImage: async () => image(0) });
  const steps = [
    [1, 2, 3],
    [4, 5, 6],
  ];

  /** Logits after a prompt and after each of some tokens. */
  async function alone(prompt: Prompt, tokens: readonly number[]): Promise<readonly Float32Array[]> {
    const decoder = await open([prompt], tokens.length);
    const logits = [(await decoder.prefill())[0]!.slice()];
    for (const token of tokens) logits.push((await decoder.step([token]))[0]!.slice());
    decoder.close();
    return logits;
  }

  test("rows of a batch, whose prompts are unequal, are what they are alone", async () => {
    const batch = await open(prompts, steps.length);
    const together = [(await batch.prefill()).map((row) => row.slice())];
    for (const tokens of steps) together.push((await batch.step(tokens)).map((row) => row.slice()));
    batch.close();
    for (const [row, prompt] of prompts.entries()) {
      const expected = await alone(
        prompt,
        steps.map((tokens) => tokens[row]!),
      );
      expected.forEach((each, step) => {
        expect(largestDifference(each, together[step]![row]!)).toBeLessThan(alike);
      });
    }
  });

  test("branches of a tree are what their texts are alone", async () => {
    const tree = await createTokenTree({ ...program(), prompt: prompts[1]!, nodes: 4, depth: 2 });
    await tree.prefill();
    const nodes = [
      { parent: -1, token: 1 },
      { parent: -1, token: 2 },
      { parent: 1, token: 3 },
      { parent: 0, token: 4 },
    ];
    const found = [...(await tree.add(nodes.slice(0, 2))), ...(await tree.add(nodes.slice(2)))];
    tree.close();
    const [, ofFirst, ofFourth] = await alone(prompts[1]!, [1, 4]);
    const [, ofSecond, ofThird] = await alone(prompts[1]!, [2, 3]);
    for (const [i, expected] of [ofFirst, ofSecond, ofThird, ofFourth].entries()) {
      expect(largestDifference(found[i]!, expected!)).toBeLessThan(alike);
    }
  });

  test("a second prompt in the same memory finds its scales anew", async () => {
    const decoder = await open([prompts[1]!], 0);
    await decoder.logits();
    const [again] = await decoder.logits({ texts: [{ ids: prompts[0]!.ids }], from: [0] });
    decoder.close();
    const other = await open([{ ...prompts[1]!, ids: prompts[0]!.ids }], 0);
    const [expected] = await other.logits();
    other.close();
    expect(largestDifference(again!, expected!)).toBeLessThan(1e-5);
  });

  test("a cache is the memory that is forecast, a half or a quarter of float32", () => {
    const { feeds, release } = createKvCache(runtime, config.language, 2, 1000, cacheFormat).all;
    const bytes = Object.values(feeds).reduce((sum, { tensor }) => sum + tensor.data.byteLength, 0);
    release();
    expect(bytes).toBe(cacheBytes(config.language, 2, 1000, cacheFormat));
    const share = bytes / cacheBytes(config.language, 2, 1000, "fp32");
    expect(share).toBeCloseTo(bytesOf[cacheFormat === "fp16" ? "float16" : "int8"] / bytesOf.float32, 2);
  });
});

test("heads of a width that kernels refuse are filled up", async () => {
  const language = mpt({
    ...{ layers: 2, hiddenSize: 48, heads: 4, mlpRatio: 2 }, // heads 12 wide
    ...{ vocabulary: 100, contextLength: 100, alibiMax: 8 },
  });
  await using runtime = await openOrtFfi();
  const logits = async (cacheFormat: CacheFormat) => {
    const narrow = { ...config, language };
    const session = await runtime.load(withRandomWeights(compile(decodeGraph(narrow, cacheFormat)), 0.3));
    const decoder = await createDecoder({
      ...{ runtime, sessionOf: () => Promise.resolve(session), config: narrow, imageToken, cacheFormat },
      ...{
        prompts: [{ ids: [90, 1, 2, 3], images: [image(1)] }],
        capacity: 3,
        zeroImage: async () => image(0),
      },
    });
    const found = [(await decoder.prefill())[0]!.slice()];
    for (const token of [4, 5, 6]) found.push((await decoder.step([token]))[0]!.slice());
    decoder.close();
    return found;
  };
  const exact = await logits("fp32");
  expect(relativeError(await logits("fp16"), exact)).toBeLessThan(1e-3);
  expect(relativeError(await logits("int8"), exact)).toBeLessThan(0.02);
});
