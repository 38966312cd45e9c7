/** The mode in which a token sees the images before its own as well, on a model of random weights. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { imageToken, runnerOn, vocabulary } from "../../bench/languageModel.js";
import { withRandomWeights } from "../../bench/randomModel.js";
import type { FlamingoConfig } from "../../src/models/flamingo.js";
import { mpt } from "../../src/models/mpt.js";
import { compile } from "../../src/onnx/compile.js";
import { decodeGraph } from "../../src/runner/graphs.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { largestDifference } from "../tinyModel.js";
import { config, image } from "./smallModel.js";

// Of the third <image> there is no image.
const ids = [1, imageToken, 2, 3, imageToken, 4, 5, imageToken, 6];
const images = [image(1), image(2)];
const language = mpt({
  layers: 4,
  hiddenSize: 32,
  heads: 4,
  mlpRatio: 2,
  vocabulary,
  contextLength: 64,
  alibiMax: 8,
});

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openOrtFfi();
});
afterAll(() => runtime.close());

test.each([false, true])(
  "token by token it is what it is at once (own image only: %s)",
  async (onlyImmediate) => {
    const crossAttention = { ...config.crossAttention, onlyImmediate };
    const inMode: FlamingoConfig = { ...config, language, crossAttention };
    const session = await runtime.load(withRandomWeights(compile(decodeGraph(inMode)), 0.3));
    const runner = runnerOn(runtime, () => Promise.resolve(session), inMode);

    const reader = await runner.decoder([{ ids, images }], { capacity: 0 });
    const [all] = await reader.logits();
    reader.close();
    const whole = ids.map((_, i) => all!.slice(i * vocabulary, (i + 1) * vocabulary));
    const decoder = await runner.decoder([{ ids: ids.slice(0, 1), images }], { capacity: ids.length });
    let [logits] = await decoder.prefill();
    for (const [i, expected] of whole.entries()) {
      expect(largestDifference(logits!, expected), `after token ${i}`).toBeLessThan(1e-5);
      if (i + 1 < ids.length) [logits] = await decoder.step([ids[i + 1]!]);
    }
    decoder.close();

    const tree = await runner.tokenTree({ ids: ids.slice(0, 6), images }, { nodes: 3, depth: 3 });
    await tree.prefill();
    const chain = await tree.add(ids.slice(6).map((token, i) => ({ parent: i - 1, token })));
    chain.forEach((each, i) => {
      expect(largestDifference(each, whole[6 + i]!)).toBeLessThan(1e-5);
    });
    tree.close();
  },
);
