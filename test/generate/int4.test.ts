/** Greedy answers of the tiny models with weights of 4 bits, to the golden prompts. */
import { expect, test } from "vitest";
import { choices, differing, type Quality, qualityOf, type Sample } from "../../bench/formatQuality.js";
import { goldenSamples } from "../../bench/goldenSamples.js";
import { type BackendName, tinyModel, tinyModelsWith } from "../tinyModel.js";

const models = tinyModelsWith("generation.json", "answers of its int4 form");

interface Given {
  readonly on: BackendName;
  readonly samples: readonly Sample[];
  readonly reference: Quality["answers"];
}

test.each(models)(
  "both backends give the same, and the fast kernel nearly the exact one's: $name",
  async (model) => {
    const samples = await goldenSamples(model);
    const answersOf = async (choice: string, on: BackendName, reference?: Quality["answers"]) => {
      const opened = await tinyModel(model.name, on).open(choices.get(choice));
      const options = { maxNewTokens: 20, endTokens: [model.ids.endofchunk], reference };
      const quality = await qualityOf(opened.runner, samples, options);
      await opened.close();
      return quality;
    };
    const exact = await answersOf("int4 b128 exact");
    const fast = await answersOf("int4 b128", { reference: exact.answers });
    const [off, tokens] = [differing(fast.chosen, exact.answers), exact.answers.flat().length];
    console.log(`${model.name}: of ${tokens} greedy tokens, ${off} are others by the fast kernel`);
    expect(off).toBeLessThan(0.03 * tokens);
    const { answers } = await answersOf("int4 b128", { on: "ort.binding", samples: all.slice(0, 4) });
    expect(answers).toEqual(fast.answers.slice(0, 4));
  },
);
