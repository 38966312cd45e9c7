/** What the hub's configuration files may ask for, and what is rejected with a specific error. */
import { describe, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { languageModel } from "../../src/models/configuration.js";

const mpt = {
  model_type: "mpt",
  d_model: 64,
  n_heads: 4,
  n_layers: 8,
  max_seq_len: 128,
  no_bias: true,
  attn_config: { alibi: true },
};
const mosaicGpt = {
  model_type: "mosaic_gpt",
  d_model: 60,
  n_heads: 6,
  n_layers: 3,
  max_seq_len: 128,
  no_bias: true,
  alibi: true,
  attn_qk_ln: true,
};
const gptNeox = {
  model_type: "gpt_neox",
  hidden_size: 80,
  num_attention_heads: 4,
  num_hidden_layers: 4,
  intermediate_size: 320,
  max_position_embeddings: 128,
  hidden_act: "gelu",
  rotary_pct: 0.5,
};

function rejectionOf(json: object): OpenFlamingoError {
  try {
    languageModel("config.json", json, 518);
  } catch (error) {
    expect(error).toBeInstanceOf(OpenFlamingoError);
    return error as OpenFlamingoError;
  }
  throw new Error(`accepted: ${JSON.stringify(json)}`);
}

test.each([
  [mpt, { layers: 8, hiddenSize: 64, heads: 4, headDim: 16, vocabulary: 518, contextLength: 128 }],
  [mosaicGpt, { layers: 3, hiddenSize: 60, heads: 6, headDim: 16 }],
  [gptNeox, { layers: 4, hiddenSize: 80, heads: 4, headDim: 24, outputEmbedding: "embed_out.weight" }],
])("$model_type is read; a head of the cache is a multiple of 8 wide", (json, expected) => {
  expect(languageModel("config.json", json, 518)).toMatchObject(expected);
});

test("another kind of model is rejected, with those that are known", () => {
  const { code, message } = rejectionOf({ ...mpt, model_type: "llama" });
  expect(code).toBe("model-unsupported");
  expect(message).toBe('config.json: model_type is "llama", supported are "mpt", "mosaic_gpt", "gpt_neox"');
});

describe("a setting that would give other answers is rejected with a specific error", () => {
  const attention = (name: string, value: unknown): [object, string] => [
    { ...mpt, attn_config: { ...mpt.attn_config, [name]: value } },
    `attn_config.${name}`,
  ];
  const others = (of: object, changes: Readonly<Record<string, unknown>>): [object, string][] =>
    Object.entries(changes).map(([name, value]) => [{ ...of, [name]: value }, name]);
  test.each([
    ...others(mpt, { no_bias: false, logit_scale: 2, norm_type: "rmsnorm" }),
    attention("attn_type", "multiquery_attention"),
    attention("attn_uses_sequence_id", true),
    attention("alibi", false),
    attention("clip_qkv", 6),
    attention("qk_ln", true),
    attention("prefix_lm", true),
    attention("softmax_scale", 1),
    ...others(mosaicGpt, {
      no_bias: false,
      logit_scale: 2,
      alibi: false,
      attn_clip_qkv: 6,
      attn_uses_sequence_id: true,
      prefix_lm: true,
      softmax_scale: 1,
    }),
    ...others(gptNeox, {
      hidden_act: "gelu_new",
      layer_norm_eps: 1e-6,
      tie_word_embeddings: true,
      attention_bias: false,
      rope_scaling: { type: "linear", factor: 2 },
    }),
  ])("%j", (json, name) => {
    const { code, message } = rejectionOf(json);
    expect(code).toBe("model-unsupported");
    expect(message).toContain(`config.json: ${name} is `);
  });
});

test.each([
  [{ ...mpt, n_heads: 5 }, "d_model 64 is not a multiple of n_heads 5"],
  [{ ...gptNeox, num_attention_heads: 3 }, "hidden_size 80 is not a multiple of num_attention_heads 3"],
  [{ ...gptNeox, rotary_pct: 0.25 }, "rotary_pct 0.25 turns 5 of the 20 numbers of a head"],
  [{ ...gptNeox, rotary_pct: 1.5 }, "rotary_pct 1.5 turns 30 of the 20 numbers of a head"],
  [{ ...mpt, n_layers: 1e15 }, "n_layers is 1000000000000000, and no model has more than 512"],
  [{ ...mpt, n_heads: 4096, d_model: 4096 }, "n_heads is 4096, and no model has more than 1024"],
  [{ ...mpt, max_seq_len: 2 ** 40 }, "max_seq_len is 1099511627776, and no model has more than 16777216"],
  [{ ...gptNeox, num_hidden_layers: 0 }, "num_hidden_layers is 0, not a positive whole number"],
])("%j is no model", (json, message) => {
  const error = rejectionOf(json);
  expect(error.code).toBe("model-invalid");
  expect(error.message).toBe(`config.json: ${message}`);
});
