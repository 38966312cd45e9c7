/** The decode program in stages: how many a model has, and that they run as the whole does. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { withRandomWeights } from "../../bench/randomModel.js";
import { mpt } from "../../src/models/mpt.js";
import { compile } from "../../src/onnx/compile.js";
import { runDecode } from "../../src/runner/call.js";
import { createDecoder } from "../../src/runner/decoder.js";
import { decodeGraph, decodeStages } from "../../src/runner/graphs.js";
import { inSequence, type Runs } from "../../src/runner/inSequence.js";
import { programsOf } from "../../src/runner/modelRunner.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { RunOptions, Runtime } from "../../src/runtime/runtime.js";
import { formatsOf } from "../../src/weights/weightFormats.js";
import { config, image, imageToken } from "./smallModel.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openOrtFfi();
});
afterAll(() => runtime.close());

/** Prompts of two lengths and a step after them. */
async function logitsOf(session: Runs) {
  const prompts = [
    { ids: [imageToken, 1, 2, 3, 4], images: [image(1)] },
    { ids: [imageToken, 5], images: [image(2)] },
  ];
  const decoder = await createDecoder({
    ...{ runtime, config, imageToken, prompts, capacity: 1 },
    sessionOf: () => Promise.resolve(session),
    zeroImage: async () => image(0),
  });
  try {
    const first = (await decoder.prefill()).map((row) => row.slice());
    return [...first, ...(await decoder.step([7, 8]))];
  } finally {
    decoder.close();
  }
}

test("logits of stages are those of the whole, cache and images going to the blocks that they are of", async () => {
  const whole = withRandomWeights(compile(decodeGraph(config)), 0.3);
  const expected = await logitsOf(await runtime.load(whole));
  for (const count of [1, 2, 3, 4]) {
    const compiled = decodeStages(config, count).map(compile);
    expect(compiled).toHaveLength(count);
    const stages = compiled.map(async (each) => ({
      program: each.program,
      session: await runtime.load(each.with((name) => whole.weights.get(name)!)),
    }));
    expect(await logitsOf(inSequence(await Promise.all(stages)))).toEqual(expected);
  }
});

test("every weight is in one stage, but for the embedding, which is the output projection too", () => {
  const stages = decodeStages(config, 4).map((each) => compile(each).weights.map(({ name }) => name));
  const [embedding] = stages[0]!.filter((name) => stages[3]!.includes(name));
  expect(embedding).toBe("lang_encoder.transformer.wte.weight");
  expect(stages.flat().length).toBe(new Set(stages.flat()).size + 1);
  expect(new Set(stages.flat())).toEqual(
    new Set(compile(decodeGraph(config)).weights.map(({ name }) => name)),
  );
});

test.each([
  ["a small model in blocks", 64, formatsOf("int4"), 1],
  ["a large one", 4096, formatsOf("int4"), 2], // of two blocks
  ["a large one in float32, which is not packed", 4096, undefined, 1],
])("%s: stages of the decode program", (_, hiddenSize, formatOf, expected) => {
  const language = mpt({
    ...{ layers: 2, hiddenSize, heads: 4, mlpRatio: 4, vocabulary: 100, contextLength: 16, alibiMax: 8 },
  });
  expect(programsOf({ ...config, language }, formatOf)).toHaveLength(1 + expected);
});

/** A stage that notes when it is run, and hands on what it was given. */
function noting(name: string, notes: string[], fault?: Error) {
  const port = (name: string) => ({ name, dtype: "float32", shape: [] }) as const;
  const run: Runs["run"] = async (feeds, { want = [] }: RunOptions = {}) => {
    notes.push(`${name} ${Object.keys(feeds)} → ${want}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (fault) throw fault;
    return Object.fromEntries(want.map((each) => [each, Object.values(feeds)[0] as never]));
  };
  const inputs = name === "first" ? ["x"] : ["cut.0"];
  const outputs = name === "first" ? ["cut.0", "early"] : ["y"];
  return { session: { run }, program: { inputs: inputs.map(port), outputs: outputs.map(port) } };
}
const x = { dtype: "float32", shape: [], data: Float32Array.of(1) } as const;

test("a run begins when the one before is through all stages, and takes what is wanted of it", async () => {
  const notes: string[] = [];
  const both = inSequence([noting("first", notes), noting("second", notes)]);
  const runs = await Promise.all([both.run({ x }), both.run({ x }, { want: ["y"] })]);
  expect(notes).toEqual(["first x → cut.0,early", "second cut.0 → y", "first x → cut.0", "second cut.0 → y"]);
  expect(runs).toEqual([{ early: x, y: x }, { y: x }]);
});

test("a run that fails ends with its fault, and the next one is run", async () => {
  const notes: string[] = [];
  const fault = new Error("no");
  const both = inSequence([noting("first", notes, fault), noting("second", notes)]);
  const [first, second] = await Promise.allSettled([both.run({ x }), both.run({ x })]);
  expect([first, second]).toEqual([
    { status: "rejected", reason: fault },
    { status: "rejected", reason: fault },
  ]);
  expect(notes).toHaveLength(2);
});

test("a run of 64 rows gives back what it computed in, in every stage; one of fewer keeps it", async () => {
  const asked: (boolean | undefined)[] = [];
  const stage = (name: string) => {
    const { session, program } = noting(name, []);
    const run: Runs["run"] = (feeds, options) => {
      asked.push(options?.releaseWorkspace);
      return session.run(feeds, options);
    };
    return { session: { run }, program };
  };
  const both = inSequence([stage("first"), stage("second")]);
  for (const rows of [63, 64]) {
    const call = {
      ...{ ids: new Int32Array(rows), imageIndex: new Int32Array(rows), imageIds: Int32Array.of(0) },
      ...{ start: Int32Array.of(0), wanted: Int32Array.of(0), logits: x },
    };
    await runDecode({ sessionOf: async () => both }, { x: x as never }, {}, call, undefined);
  }
  expect(asked).toEqual([false, false, true, true]);
});
