import { describe, expect, test } from "vitest";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { goldenModels, goldenTest } from "../goldens.js";
import { compared } from "../parity.js";
import { readJson } from "./files.js";

interface Cases {
  ids: { endofchunk: number; image: number; pad: number; len_tokenizer: number };
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

for (const tinyModel of goldenModels()) {
  goldenTest(
    `${tinyModel}/golden/generation.json`,
    `${tinyModel}: prompts and answers as in its goldens`,
    () => {
      const tokenizer = open(`${tinyModel}/lang`);
      const { ids } = readJson<Cases>(`${tinyModel}/golden/forward.json`);
      const { endofchunk: endOfChunk, image, pad: padding } = ids;
      expect(tokenizer.special).toEqual({ endOfChunk, image, padding });
      expect(tokenizer.size).toBe(ids.len_tokenizer);
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
      expect(counted.cases).toBeGreaterThan(0);
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
  for (const pad_token of [undefined, null, ""]) {
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

describe("what the files beside tokenizer.json ask for", () => {
  const json = readJson("tokenizer/neox.tokenizer.json");
  const read = (tokenizerConfig: unknown, specialTokensMap?: unknown) =>
    createFlamingoTokenizer(json, { tokenizerConfig, specialTokensMap });

  test("files as transformers 4.33, 4.57 and 5 write them are read", () => {
    const end = "<|endoftext|>";
    const token = { content: end, lstrip: false, normalized: false, rstrip: false, single_word: false };
    const three = { bos_token: end, eos_token: end, unk_token: end };
    const common = {
      add_prefix_space: false,
      model_max_length: 2048,
      tokenizer_class: "GPTNeoXTokenizer",
      ...three,
    };
    const plain = read(undefined);
    for (const [config, map] of [
      [common, three],
      [
        { ...common, clean_up_tokenization_spaces: true },
        { bos_token: token, eos_token: token, unk_token: token },
      ],
      [
        {
          ...common,
          add_bos_token: false,
          add_eos_token: false,
          added_tokens_decoder: { 0: { ...token, special: true }, 1: { ...token, content: "<|padding|>" } },
          additional_special_tokens: ["<|endofchunk|>", "<image>"],
          pad_token: null,
        },
        undefined,
      ],
      [
        {
          ...common,
          backend: "tokenizers",
          errors: "replace",
          is_local: true,
          extra_special_tokens: ["<image>"],
        },
        { additional_special_tokens: [{ ...token, content: "<|endofchunk|>" }] },
      ],
      [{ ...common, extra_special_tokens: { image_token: "<image>" } }, {}],
    ]) {
      const { special, size } = read(config, map);
      expect([special, size]).toEqual([plain.special, plain.size]);
    }
  });

  test.each([
    [{ add_prefix_space: true }, "tokenizer_config.json: add_prefix_space is true; only"],
    [{ add_prefix_space: 1 }, "add_prefix_space is 1"],
    [{ split_special_tokens: true }, "split_special_tokens is true"],
    [{ add_bos_token: true }, "tokenizer_config.json: add_bos_token is true, and the post_processor"],
    [{ add_eos_token: true }, "add_eos_token is true, and the post_processor"],
    [{ add_bos_token: "false" }, 'add_bos_token is "false"'],
    [{ pad_token: 7 }, "pad_token is 7; it must be a string"],
    [{ pad_token: {} }, "pad_token.content is missing; it must be a string"],
    [{ pad_token: { content: "<PAD>", lstrip: true } }, "pad_token.lstrip is true"],
    [{ bos_token: "<s>" }, 'bos_token names "<s>", which tokenizer.json lacks'],
    [{ extra_special_tokens: ["<\u001bx>"] }, 'extra_special_tokens names "<\\u001bx>", which'],
    [{ additional_special_tokens: "<image>" }, 'additional_special_tokens is "<image>"; it must be a list'],
    [{ added_tokens_decoder: { 5000: { content: "<new>" } } }, 'added_tokens_decoder names "<new>", which'],
    [[], "tokenizer_config.json: the file is []; it must be an object"],
  ])("%j is rejected with a specific error", (config, message) => {
    expect(() => read(config)).toThrow(message);
    expect(() => read(config)).toThrow(expect.objectContaining({ code: "tokenizer-invalid" }));
  });

  test("the map is read as strictly", () => {
    expect(() => read({}, { pad_token: true })).toThrow("special_tokens_map.json: pad_token is true");
    expect(() => read({}, { sep_token: "<sep>" })).toThrow(
      'special_tokens_map.json: sep_token names "<sep>"',
    );
  });
});
