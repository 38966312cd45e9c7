import { expect, test } from "vitest";
import { generationConfiguration } from "../../src/models/generationConfiguration.js";

const read = (generation: unknown, model: object = { model_type: "mpt" }) =>
  generationConfiguration({ file: "config.json", json: model }, { file: "g.json", json: generation }, 518);

test.each([
  [{ eos_token_id: 0, bos_token_id: 0, _from_model_config: true }, { eosTokenId: 0 }],
  [
    { eos_token_id: [0, 3], pad_token_id: 1 },
    { eosTokenId: [0, 3], padTokenId: 1 },
  ],
  [{ eos_token_id: -1 }, { eosTokenId: -1 }],
  [{ eos_token_id: null, pad_token_id: null, temperature: 1.0, top_k: 50 }, { eosTokenId: undefined }],
  [{ do_sample: false, max_length: 20, bad_words_ids: null, transformers_version: "4.33.3" }, {}],
])("%j is read", (json, expected) => {
  expect(read(json)).toMatchObject({ useCache: true, ...expected });
});

test("without the file, config.json says it", () => {
  expect(read(undefined, { model_type: "mpt", eos_token_id: 7, use_cache: false })).toEqual({
    eosTokenId: 7,
    padTokenId: undefined,
    useCache: false,
  });
  expect(read({}, { model_type: "mpt", eos_token_id: 7 }).eosTokenId).toBeUndefined();
  expect(read({}, { model_type: "gpt_neox", use_cache: false }).useCache).toBe(true);
});

test.each([
  [{ eos_token_id: 2 ** 31 }, "model-invalid", "g.json: eos_token_id is 2147483648; it must be an integer"],
  [{ eos_token_id: 518 }, "model-invalid", "from -1 to 517"],
  [{ eos_token_id: [0, 0.5] }, "model-invalid", "eos_token_id[1] is 0.5"],
  [{ pad_token_id: -1 }, "model-invalid", "pad_token_id is -1"],
  [{ pad_token_id: "0" }, "model-invalid", 'pad_token_id is "0"'],
  [{ do_sample: true }, "model-unsupported", "do_sample is true; only absent or null or false is supported"],
  [{ temperature: 0.7 }, "model-unsupported", "temperature is 0.7"],
  [{ num_beams: 3 }, "model-unsupported", "num_beams is 3"],
  [{ suppress_tokens: [1] }, "model-unsupported", "suppress_tokens is [1]"],
  [[], "model-invalid", "the file is []"],
])("%j is rejected with a specific error", (json, code, message) => {
  expect(() => read(json)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(message) }),
  );
});

test("use_cache is true or false", () => {
  expect(() => read({}, { model_type: "mpt", use_cache: "false" })).toThrow(
    'config.json: use_cache is "false"',
  );
});
