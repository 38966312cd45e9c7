/** The twins' forward passes beside the original's: goldens/README.md, "Twins" and "Tolerances". */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeGraph, encodeGraph } from "../../src/engine/graphs.js";
import { loadWeights } from "../../src/engine/weights.js";
import { compile } from "../../src/onnx/compile.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import { ids, largestDifference, type Twin, twinsWith } from "../twin.js";

/** What goldens/README.md allows to another runtime in float32. */
const tolerance = 1e-4;

interface ForwardCase {
  readonly name: string;
  readonly pictures: readonly (readonly string[])[];
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
}

describe.each(twinsWith("forward.safetensors", "the forward pass"))("$name", (twin) => {
  const { cases } = twin.goldenJson<{ cases: ForwardCase[] }>("forward.json");
  const expected = twin.goldenTensors("forward.safetensors");

  let opened: Twin;
  beforeAll(async () => {
    opened = await twin.open();
  });
  afterAll(() => opened.close());

  test("vision tokens and resampler output are the original's, of every picture and of zeros", async () => {
    const { config, checkpoints, close } = await twin.model();
    await using runtime = await openOrtFfi();
    const { program, weights: uses } = compile(encodeGraph(config));
    const all = [...uses, ...compile(decodeGraph(config)).weights];
    const weights = await loadWeights(all, checkpoints, config.language);
    const session = await runtime.load({
      ...program,
      weights: new Map(uses.map(({ name }) => [name, weights.get(name)!])),
    });
    await close();
    const inputs = await twin.goldenTensors("inputs.safetensors");
    const side = config.vision.imageSize;
    const largest = { tokens: 0, latents: 0 };
    let compared = 0;
    for (const [name, { data, shape }] of await expected) {
      const [kind, picture] = name.split(".") as [string, string];
      const output = kind === "vision_tokens" ? "tokens" : kind === "resampled" ? "latents" : undefined;
      if (!output) continue;
      const pixels = inputs.get(`pixels.${picture}`)?.data ?? new Float32Array(3 * side * side);
      const outputs = await session.run({
        pixels: { dtype: "float32", shape: [1, 3, side, side], data: pixels },
      });
      expect(outputs[output]!.shape.slice(1)).toEqual(shape);
      largest[output] = Math.max(
        largest[output],
        largestDifference(outputs[output]!.data as Float32Array, data),
      );
      compared += data.length;
    }
    console.log(
      `${twin.name}: vision tokens ${largest.tokens.toExponential(1)}, latents ${largest.latents.toExponential(1)} (${compared} values)`,
    );
    expect(compared).toBeGreaterThan(10_000);
    expect(largest.tokens).toBeLessThan(tolerance);
    expect(largest.latents).toBeLessThan(tolerance);
  });

  test.each(cases)(
    "logits of $name are the original's",
    async ({ name, pictures, input_ids, attention_mask }) => {
      const prompts = await Promise.all(
        input_ids.map(async (row, i) => ({
          ids: row.filter((_, at) => attention_mask[i]![at] === 1),
          pictures: await Promise.all(pictures[i]!.map((picture) => opened.picture(picture))),
        })),
      );
      const decoder = await opened.engine.decoder(prompts, { room: 0 });
      const logits = await decoder.logits();
      decoder.close();
      const { data, shape } = (await expected).get(`logits.${name}`)!;
      const length = shape[1]!;
      let largest = 0;
      prompts.forEach((prompt, row) => {
        const first = row * length + attention_mask[row]!.indexOf(1);
        const original = data.subarray(first * ids.size, (first + prompt.ids.length) * ids.size);
        largest = Math.max(largest, largestDifference(logits[row]!, original));
      });
      console.log(`${twin.name}: logits of ${name}: ${largest.toExponential(1)}`);
      expect(largest).toBeLessThan(tolerance);
    },
  );
});
