import { expect, test } from "vitest";
import { nameEmbeddings } from "../../../../recipes/tiny/stages/nameEmbeddings.js";
import { writeLanguageModel } from "../../../../recipes/tiny/towers/writeTowers.js";
import { trainTokenizer } from "../../../../recipes/tiny/words/tokenizer/index.js";
import { createFlamingoTokenizer } from "../../../../src/text/flamingoTokens.js";
import { temporaryFolder } from "../../../checkpoints/fixtures.js";
import { mptConfig } from "../towers/tinyTowers.js";
import { madeThings } from "../world/made.js";

test("a name is the mean of what its tokens are in the language model, as they stand behind a word", async () => {
  const tokenizer = createFlamingoTokenizer(
    trainTokenizer({ things: madeThings, seed: 1, size: 400, texts: 20 }),
  );
  const [vocabulary, width] = [402, 16];
  const folder = temporaryFolder();
  const data = Float32Array.from({ length: vocabulary * width }, (_, i) => Math.floor(i / width));
  const tensors = new Map([["transformer.wte.weight", { shape: [vocabulary, width], data }]]);
  await writeLanguageModel(folder, { config: { ...mptConfig, vocabulary, hiddenSize: width }, tensors });

  const names = ["thing 7", "thing 123"];
  const found = await nameEmbeddings(folder, names, tokenizer);
  expect(found.shape).toEqual([2, width]);
  for (const [row, name] of names.entries()) {
    const tokens = tokenizer.encode(`a ${name}`).slice(tokenizer.encode("a").length);
    expect(tokens.length).toBeGreaterThan(1);
    const mean = tokens.reduce((sum, token) => sum + token, 0) / tokens.length;
    const own = found.data.slice(row * width, (row + 1) * width);
    for (const value of own) expect(value).toBeCloseTo(mean, 3);
  }
});
