/** GPT-NeoX's configuration as transformers 5 and 4.57 write it: the answer is that of the form of transformers 4. */
import { afterAll, expect, test } from "vitest";
import { hasGolden } from "../goldens.js";
import { changeableModel } from "../hostile/configurations.js";

const name = "tiny-openflamingo-4b";

if (!hasGolden(`${name}/checkpoint.pt`)) {
  console.log(`skipped, as goldens/${name} is not at hand: rotary parameters`);
  test.skip("rotary parameters of transformers 5", () => {});
} else {
  const model = changeableModel(name);
  afterAll(() => model.close());
  const file = "lang/config.json";
  const original = model.noChange(file).value as Record<string, unknown>;
  const { rotary_pct: _, rotary_emb_base: __, ...rest } = original;
  const parameters = { partial_rotary_factor: 1.0, rope_theta: 10000, rope_type: "default" };
  const answered = (value: object) => model.outcomeOf({ file, path: [], value: value as never });

  test("rope_parameters and the keys of 4.57 give the same answer", async () => {
    const { answer } = await answered(original);
    expect(answer).toHaveLength(6);
    const saved = [
      { ...rest, rope_parameters: parameters },
      { ...original, partial_rotary_factor: 1.0, rope_theta: 10000, rope_scaling: null },
    ];
    for (const json of saved) expect((await answered(json)).answer).toEqual(answer);
    const quarter = { ...rest, rope_parameters: { ...parameters, partial_rotary_factor: 0.25 } };
    expect((await answered(quarter)).answer).not.toEqual(answer);
  });

  test("neither form is rejected", async () => {
    expect((await answered(rest)).error).toMatchObject({
      code: "model-invalid",
      message: expect.stringContaining("rotary_pct, or partial_rotary_factor in rope_parameters, is missing"),
    });
  });
}
