/** Connectors start from what the image encoder's training leaves beside the model. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { shortRecipe } from "../../../../recipes/tiny/settings.js";
import { knownMaps } from "../../../../recipes/tiny/stages/knownMaps.js";
import { classesOf } from "../../../../recipes/tiny/stages/sources.js";
import { trainTokenizer } from "../../../../recipes/tiny/words/tokenizer/index.js";
import type { Runtime } from "../../../../src/runtime/runtime.js";
import { createFlamingoTokenizer } from "../../../../src/text/flamingoTokens.js";
import { halves, madeThings } from "../world/made.js";

test("heads of the image encoder that are missing are named, with who writes them and where others are", async () => {
  const folder = mkdtempSync(join(tmpdir(), "openflamingo-maps-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const none = { train: [], test: [] };
  const tokenizer = trainTokenizer({ things: madeThings, seed: 1, size: 400, texts: 20 });
  const load: Runtime["load"] = () => expect.fail("nothing is computed");
  const maps = knownMaps(
    {
      ...{ settings: shortRecipe, things: [], folder, work: folder, threads: 1, tell: () => {} },
      runtime: { load } as Runtime,
    },
    {
      ...{ things: madeThings, sprites: halves([200, 10, 20], [10, 30, 200]), photographs: none },
      ...{ characters: [], classes: classesOf(madeThings, none), seed: 3, imageSize: 64, patches: 8 },
    },
    createFlamingoTokenizer(tokenizer),
    {
      means: { of: () => expect.fail("nothing is computed"), close: async () => {} },
      embedding: { shape: [402, 16], data: new Float32Array(402 * 16) },
    },
  );
  await expect(maps).rejects.toThrow(
    `${join(folder, "clip-2", "aids.safetensors")} is missing: the last cycle of the image encoder writes it, and recipes/tiny/trained has`,
  );
});
