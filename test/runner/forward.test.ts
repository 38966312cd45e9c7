/**
 * The tiny models' forward passes beside the reference implementation's: goldens/README.md, "TinyModels" and
 * "Tolerances".
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../src/onnx/compile.js";
import { decodeGraph, encodeGraph } from "../../src/runner/graphs.js";
import { loadWeights } from "../../src/weights/loadWeights.js";
import { compared } from "../parity.js";
import { largestDifference, onBackends, type TinyModel, tinyModelsWith } from "../tinyModel.js";

/** What goldens/README.md allows to another runtime in float32. */
const tolerance = 1e-4;

interface ForwardCase {
  readonly name: string;
  readonly pictures: readonly (readonly string[])[];
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
}

const tinyModels = onBackends(tinyModelsWith("forward.safetensors", "the forward pass"));
describe.each(tinyModels)("$name on $backend", (tinyModel) => {
  const { backend, ids } = tinyModel;
  const { cases } = tinyModel.goldenJson<{ cases: ForwardCase[] }>("forward.json");
  const expected = tinyModel.goldenTensors("forward.safetensors");

  let opened: TinyModel;
  beforeAll(async () => {
    opened = await tinyModel.open();
  });
  afterAll(() => opened.close());

  test("vision tokens and resampler output are the reference implementation's, of every image and of zeros", async () => {
    const { config, checkpoints, close } = await tinyModel.model();
    await using runtime = await tinyModel.openRuntime();
    const { program, weights: uses } = compile(encodeGraph(config));
    const all = [...uses, ...compile(decodeGraph(config)).weights];
    const weights = await loadWeights(all, checkpoints, config.language);
    const session = await runtime.load({
      ...program,
      weights: new Map(uses.map(({ name }) => [name, weights.get(name)!])),
    });
    await close();
    const inputs = await tinyModel.goldenTensors("inputs.safetensors");
    const side = config.vision.imageSize;
    const found = new Set<string>();
    for (const [name, { data, shape }] of await expected) {
      const [kind, image] = name.split(".") as [string, string];
      const output = kind === "vision_tokens" ? "tokens" : kind === "resampled" ? "latents" : undefined;
      if (!output) continue;
      const pixels = inputs.get(`pixels.${image}`)?.data ?? new Float32Array(3 * side * side);
      const outputs = await session.run({
        pixels: { dtype: "float32", shape: [1, 3, side, side], data: pixels },
      });
      expect(outputs[output]!.shape.slice(1)).toEqual(shape);
      const largest = largestDifference(outputs[output]!.data as Float32Array, data);
      const family = output === "tokens" ? "vision/patch tokens" : "resampler/latents";
      compared(`${family}/${tinyModel.name}`, {
        cases: 1,
        values: data.length,
        largest,
        bound: tolerance,
        backend,
      });
      expect(largest, name).toBeLessThan(tolerance);
      found.add(name);
    }
    const images = [...inputs.keys()].map((name) => name.replace("pixels.", ""));
    for (const image of [...images, "zeros"]) {
      expect([...found]).toEqual(expect.arrayContaining([`vision_tokens.${image}`, `resampled.${image}`]));
    }
  });

  test.each(cases)(
    "logits of $name are the reference implementation's, read at once and at last token by token",
    async (given) => {
      const { name, pictures: images, input_ids, attention_mask } = given;
      const prompts = await Promise.all(
        input_ids.map(async (row, i) => ({
          ids: row.filter((_, at) => attention_mask[i]![at] === 1),
          images: await Promise.all(images[i]!.map((image) => opened.image(image))),
        })),
      );
      const { data, shape } = (await expected).get(`logits.${name}`)!;
      /** The reference implementation's logits of a row's tokens, padding left out. */
      const reference = (row: number, from: number, to: number) => {
        const first = row * shape[1]! + attention_mask[row]!.indexOf(1);
        return data.subarray((first + from) * ids.size, (first + to) * ids.size);
      };

      const whole = await opened.runner.decoder(prompts, { capacity: 0 });
      const logits = await whole.logits();
      whole.close();
      const atOnce = logits.map((ours, row) =>
        largestDifference(ours, reference(row, 0, prompts[row]!.ids.length)),
      );

      // The last three, or fewer of a shorter prompt.
      const steps = Math.min(3, ...prompts.map((prompt) => prompt.ids.length - 1));
      const beginnings = prompts.map((prompt) => ({ ...prompt, ids: prompt.ids.slice(0, -steps) }));
      const decoder = await opened.runner.decoder(beginnings, { capacity: steps });
      await decoder.prefill();
      const stepwise: number[] = [];
      for (let left = steps; left > 0; left--) {
        const next = await decoder.step(prompts.map((prompt) => prompt.ids.at(-left)!));
        next.forEach((ours, row) => {
          const at = prompts[row]!.ids.length - left;
          stepwise.push(largestDifference(ours!, reference(row, at, at + 1)));
        });
      }
      decoder.close();

      const tokens = prompts.reduce((sum, prompt) => sum + prompt.ids.length, 0);
      const note = (how: string, count: number, differences: readonly number[]) => {
        const largest = Math.max(...differences);
        const values = count * ids.size;
        compared(`logits/${how}/${tinyModel.name}`, { cases: 1, values, largest, bound: tolerance, backend });
        expect(largest, how).toBeLessThan(tolerance);
      };
      note("at once", tokens, atOnce);
      note("token by token", stepwise.length, stepwise);
    },
  );
});
