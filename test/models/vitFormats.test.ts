/** A narrow vision encoder of 12 blocks in 8 bits, beside float32. At full size: bench/vitFormats.ts. */
import { describe, expect, test } from "vitest";
import type { VitConfig } from "../../src/models/vit.js";
import { vitL14 } from "../../src/models/zoo.js";
import { useBackend } from "../graph/evaluate.js";
import { formattedVit, leastCosine, noisyImage, type VitFormat, vitWeights } from "./formattedVit.js";

const backend = useBackend();
const config: VitConfig = { ...vitL14, imageSize: 56, layers: 12, hiddenSize: 512, heads: 8 };

describe.each([
  { what: "random weights", outliers: undefined },
  // As large a part of a token, and in as many of its blocks, as two of 1024 channels that are 20 times as large.
  { what: "an outlying channel", outliers: { channels: 1, times: 20 } },
])("$what", ({ outliers }) => {
  const weightOf = vitWeights(outliers);
  const tokensOf = async (format: VitFormat) => {
    await using session = await formattedVit(backend.runtime, config, format, weightOf, 1);
    return (await session.run({ pixels: noisyImage(config) })).tokens!.data as Float32Array;
  };

  test("the patch tokens are near those of float32", async () => {
    const exact = await tokensOf("float32");
    const [rows, blocks] = [await tokensOf("rows"), await tokensOf("blocks")].map((tokens) =>
      leastCosine(tokens, exact, config.hiddenSize),
    );
    console.log(`least cosine: rows ${rows!.toFixed(5)}, blocks ${blocks!.toFixed(5)}`);
    expect(rows).toBeGreaterThan(0.996);
    expect(blocks).toBeGreaterThan(0.999);
  });
});
