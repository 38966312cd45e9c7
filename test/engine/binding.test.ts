/** The 9b twin through `ort.binding`: what it computes is the original's too, read at once and token by token. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openOrtBinding } from "../../src/runtime/ortBinding.node.js";
import { goldenJson, goldenTensors, ids, largestDifference, openTwin, type Twin } from "../twin.js";

/** What goldens/README.md allows to another runtime in float32. */
const tolerance = 1e-4;

interface ForwardCase {
  readonly name: string;
  readonly pictures: readonly (readonly string[])[];
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
}
const { cases } = goldenJson<{ cases: ForwardCase[] }>("forward.json");
const single = cases.filter(({ input_ids, attention_mask }) => {
  return input_ids.length === 1 && attention_mask[0]!.every((seen) => seen === 1);
});

let twin: Twin;
beforeAll(async () => {
  twin = await openTwin(openOrtBinding);
});
afterAll(() => twin.close());

test.each(single.slice(0, 2))("logits of $name are the original's", async ({ name, pictures, input_ids }) => {
  const row = input_ids[0]!;
  const given = await Promise.all(pictures[0]!.map((picture) => twin.picture(picture)));
  const expected = (await goldenTensors("forward.safetensors")).get(`logits.${name}`)!.data;

  const whole = await twin.engine.decoder([{ ids: row, pictures: given }], { room: 0 });
  const [logits] = await whole.logits();
  whole.close();
  const atOnce = largestDifference(logits!, expected);

  const steps = 3;
  const start = row.length - steps;
  const decoder = await twin.engine.decoder([{ ids: row.slice(0, start), pictures: given }], { room: steps });
  await decoder.prefill();
  let stepwise = 0;
  for (let at = start; at < row.length; at++) {
    const [next] = await decoder.step([row[at]!]);
    const original = expected.subarray(at * ids.size, (at + 1) * ids.size);
    stepwise = Math.max(stepwise, largestDifference(next!, original));
  }
  decoder.close();
  console.log(`${name}: at once ${atOnce.toExponential(1)}, token by token ${stepwise.toExponential(1)}`);
  expect(Math.max(atOnce, stepwise)).toBeLessThan(tolerance);
});
