import { expect, test } from "vitest";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { goldenTest } from "../goldens.js";
import { compared } from "../parity.js";
import { readJson } from "./files.js";

interface Cases {
  cases: {
    name: string;
    prompts: string[];
    input_ids: number[][];
    attention_mask: number[][];
    new_tokens?: number[][];
    text?: string[];
    text_skip_special_tokens?: string[];
  }[];
}

const open = (folder: string) =>
  createFlamingoTokenizer(readJson(`${folder}/tokenizer.json`), {
    specialTokensMap: readJson(`${folder}/special_tokens_map.json`),
    tokenizerConfig: readJson(`${folder}/tokenizer_config.json`),
  });

for (const tinyModel of ["tiny-openflamingo-9b", "tiny-openflamingo-3b", "tiny-openflamingo-4b"]) {
  goldenTest(
    `${tinyModel}/golden/generation.json`,
    `${tinyModel}: prompts and answers as in its goldens`,
    () => {
      const tokenizer = open(`${tinyModel}/lang`);
      expect(tokenizer.special).toEqual({ endOfChunk: 515, image: 516, padding: 517 });
      expect(tokenizer.size).toBe(518);
      const counted = { cases: 0, values: 0 };
      for (const file of ["forward", "generation", "generation-generated-length"]) {
        for (const golden of readJson<Cases>(`${tinyModel}/golden/${file}.json`).cases) {
          golden.prompts.forEach((prompt, row) => {
            const ids = golden.input_ids[row]!.filter((_, i) => golden.attention_mask[row]![i] === 1);
            expect(tokenizer.encode(prompt), `${golden.name}: ${prompt}`).toEqual(ids);
            counted.cases++;
            counted.values += ids.length;
          });
          golden.new_tokens?.forEach((ids, row) => {
            expect(tokenizer.decode(ids), golden.name).toBe(golden.text![row]);
            expect(tokenizer.decode(ids, { skipSpecialTokens: true }), golden.name).toBe(
              golden.text_skip_special_tokens![row],
            );
            counted.cases++;
            counted.values += 2;
          });
        }
      }
      expect(counted.cases).toBeGreaterThan(100);
      compared(`tokenizers/prompts and answers/${tinyModel}`, counted);
    },
  );
}

test("tokens that the file has already keep their ids", () => {
  const { special, size } = createFlamingoTokenizer(readJson("tokenizer/neox.added.tokenizer.json"));
  expect({ special, size }).toEqual({
    special: { endOfChunk: 1092, image: 1093, padding: 1094 },
    size: 1095,
  });
});

test("a language model's own padding token is kept, and no <PAD> is added", () => {
  const json = readJson("tokenizer/neox.tokenizer.json");
  const padding = { endOfChunk: 1092, image: 1093, padding: 1 };
  expect(createFlamingoTokenizer(json, { tokenizerConfig: { pad_token: "<|padding|>" } }).special).toEqual(
    padding,
  );
  const asObject = { specialTokensMap: { pad_token: { content: "<|padding|>", lstrip: false } } };
  expect(createFlamingoTokenizer(json, asObject).special).toEqual(padding);
  const both = { ...asObject, tokenizerConfig: { pad_token: "<|endoftext|>" } };
  expect(createFlamingoTokenizer(json, both).special).toEqual(padding);
});

test("without a padding token <PAD> is added last", () => {
  const json = readJson("tokenizer/neox.tokenizer.json");
  for (const pad_token of [undefined, null, "", 7, {}]) {
    const tokenizer = createFlamingoTokenizer(json, { specialTokensMap: {}, tokenizerConfig: { pad_token } });
    expect(tokenizer.special.padding).toBe(1094);
    expect(tokenizer.idOf("<PAD>")).toBe(1094);
  }
});

test("a padding token that is named but missing comes before the others, as where the reference implementation reads the files", () => {
  const json = readJson("tokenizer/neox.tokenizer.json");
  const { special } = createFlamingoTokenizer(json, { specialTokensMap: { pad_token: "[PAD]" } });
  expect(special).toEqual({ padding: 1092, endOfChunk: 1093, image: 1094 });
});
