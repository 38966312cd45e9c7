/** Greedy answers of the tiny models with weights of 4 bits, to the golden prompts. */
import { expect } from "vitest";
import { goldenSamples } from "../../bench/goldenSamples.js";
import type { Sample } from "../../src/prepare/sample.node.js";
import { choices, formatsOfChoice } from "../../src/quality/choices.js";
import { differing, type Quality, qualityOf } from "../../src/quality/measure.js";
import { slowTest } from "../slow.js";
import { type BackendName, type GoldenModel, tinyModel, tinyModelsWith } from "../tinyModel.js";

interface Given {
  readonly samples: readonly Sample[];
  readonly reference?: Quality["answers"];
  readonly on?: BackendName;
}

async function measure({ name, ids }: GoldenModel, choice: string, given: Given): Promise<Quality> {
  const { formatOf } = formatsOfChoice(choices.find((each) => each.name === choice)!, new Map());
  const opened = await tinyModel(name, given.on).open(formatOf);
  const options = { maxNewTokens: 20, endTokens: [ids.endofchunk], reference: given.reference };
  try {
    return await qualityOf(opened.runner, given.samples, options);
  } finally {
    await opened.close();
  }
}

slowTest.each(tinyModelsWith("generation.json", "answers of its int4 form"))(
  "both backends give the same, and the fast kernel nearly what the exact one gives: $name",
  async (model) => {
    const samples = await goldenSamples(model);
    const exact = await measure(model, "int4 b128 exact", { samples });
    const fast = await measure(model, "int4 b128", { samples, reference: exact.answers });
    const [off, tokens] = [differing(fast.chosen, exact.answers), exact.answers.flat().length];
    console.log(`${model.name}: of ${tokens} greedy tokens, ${off} are others by the fast kernel`);
    expect(off).toBeLessThan(0.03 * tokens);
    const some = samples.slice(0, 4);
    const { answers } = await measure(model, "int4 b128", { samples: some, on: "ort.binding" });
    expect(answers).toEqual(fast.answers.slice(0, 4));
  },
);
