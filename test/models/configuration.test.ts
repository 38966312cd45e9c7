/** What the hub's configuration files may ask for, and what is rejected with a specific error. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { languageModel } from "../../src/models/configuration.js";
import { goldenModel, goldenModels, hasGolden } from "../goldens.js";
import { hubConfigurations } from "./hubConfigurations.js";

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

const read = (json: object) => languageModel("config.json", json, 518);

function rejectionOf(json: object): OpenFlamingoError {
  try {
    read(json);
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
  expect(read(json)).toMatchObject(expected);
});

test.each(Object.entries(hubConfigurations))("%s: the published file is read", (_, json) => {
  expect(read(json).layers).toBeGreaterThan(5);
});

test("the golden models' files are read", () => {
  for (const name of goldenModels()) {
    if (!hasGolden(`${name}/openflamingo.json`)) console.log(`skipped, as ${name} is not at hand`);
    else
      expect(
        read(JSON.parse(readFileSync(`${goldenModel(name)}/lang/config.json`, "utf8"))).layers,
      ).toBeGreaterThan(0);
  }
});

test("another kind of model is rejected, with those that are known", () => {
  const { code, message } = rejectionOf({ ...mpt, model_type: "llama" });
  expect(code).toBe("model-unsupported");
  expect(message).toBe('config.json: model_type is "llama", supported are "mpt", "mosaic_gpt", "gpt_neox"');
});

const others = (of: object, changes: Readonly<Record<string, unknown>>): [object, string][] =>
  Object.entries(changes).map(([name, value]) => [{ ...of, [name]: value }, name]);
const attention = (changes: Readonly<Record<string, unknown>>): [object, string][] =>
  Object.entries(changes).map(([name, value]) => [
    { ...mpt, attn_config: { ...mpt.attn_config, [name]: value } },
    `attn_config.${name}`,
  ]);

describe("a setting that would give other answers is rejected with a specific error", () => {
  test.each([
    ...others(mpt, {
      no_bias: false,
      logit_scale: 2,
      norm_type: "rmsnorm",
      layer_norm_epsilon: 1e-6,
      norm_eps: 1e-6,
      tie_word_embeddings: false,
      block_overrides: { order: [] },
      final_logit_softcapping: 30,
      fc_type: "te",
      quantization_config: { bits: 4 },
      is_encoder_decoder: true,
      pruned_heads: { 0: [1] },
    }),
    ...attention({
      attn_type: "multiquery_attention",
      attn_uses_sequence_id: true,
      alibi: false,
      clip_qkv: 6,
      qk_ln: true,
      qk_gn: true,
      prefix_lm: true,
      softmax_scale: 1,
      rope: true,
      kv_n_heads: 2,
      sliding_window_size: 64,
      attn_logit_softcapping: 50,
      fused_qkv: false,
      head_dim: 8,
    }),
    ...attention({ attn_type: "grouped_query_attention" }),
    [{ ...mpt, ffn_config: { ffn_type: "mptglu" } }, "ffn_config.ffn_type"],
    [{ ...mpt, ffn_config: { ffn_type: "mptmlp", ffn_hidden_size: 100 } }, "ffn_config.ffn_hidden_size"],
    ...others(mosaicGpt, {
      no_bias: false,
      logit_scale: 2,
      alibi: false,
      attn_clip_qkv: 6,
      attn_uses_sequence_id: true,
      prefix_lm: true,
      softmax_scale: 1,
      tie_word_embeddings: false,
    }),
    ...others(gptNeox, {
      hidden_act: "gelu_new",
      layer_norm_eps: 1e-6,
      tie_word_embeddings: true,
      attention_bias: false,
      quantization_config: { bits: 4 },
      add_cross_attention: true,
    }),
  ])("%j", (json, name) => {
    const { code, message, hint } = rejectionOf(json);
    expect(code).toBe("model-unsupported");
    expect(message).toContain(`config.json: ${name} is `);
    expect(hint).toContain("taken out of the file");
  });

  test.each([
    ...others(mpt, { attention_scale: 2, sparsity: { a: 1 } }),
    ...others(mosaicGpt, { qk_scale: 0.5 }),
    ...others(gptNeox, { sliding_window: 64, embedding_multiplier: 12 }),
    ...attention({ window: 3 }),
  ])("a key that nobody knows: %j", (json, name) => {
    const { code, message } = rejectionOf(json);
    expect(code).toBe("model-unsupported");
    expect(message).toBe(`config.json: "${name}" is no key of this file that is known`);
  });

  test("one that is null queryGate for nothing", () => {
    expect(read({ ...mpt, attention_scale: null }).layers).toBe(8);
  });
});

describe("a value of another type, or out of range, is none", () => {
  test.each([
    ...others(mpt, {
      n_layers: 1e15,
      n_heads: 4096,
      d_model: -64,
      max_seq_len: 2 ** 24,
      expansion_ratio: 0.5,
      embedding_fraction: 0,
      learned_pos_emb: "false",
      vocab_size: -1,
    }),
    ...attention({ alibi_bias_max: -1 }),
    ...attention({ alibi_bias_max: 2 ** 24 }),
    ...attention({ alibi_bias_max: "8" }),
    ...others(mosaicGpt, { attn_qk_ln: "true", mlp_ratio: -4, alibi_bias_max: null, hidden_size: 0.5 }),
    ...others(gptNeox, {
      num_hidden_layers: 0,
      rotary_pct: 1.5,
      rotary_emb_base: -1,
      use_parallel_residual: "true",
      intermediate_size: null,
      vocab_size: 0.5,
    }),
    ...others(gptNeox, { rotary_pct: 0, rotary_emb_base: 1, use_parallel_residual: 1 }),
  ])("%j", (json, name) => {
    const { code, message } = rejectionOf(json);
    expect(code).toBe("model-invalid");
    expect(message).toMatch(new RegExp(`^config.json: ${name} is .*; it must be `));
  });

  test.each([
    [{ ...mpt, n_heads: 5 }, "d_model 64 is not a multiple of n_heads 5"],
    [{ ...gptNeox, num_attention_heads: 3 }, "hidden_size 80 is not a multiple of num_attention_heads 3"],
    [
      { ...mpt, d_model: 65536, n_layers: 96, n_heads: 64 },
      "96 layers of width 65536 would have 4947802324992 parameters",
    ],
    [{ ...mpt, d_model: 4096, n_heads: 2 }, "a head is 2048 wide; at most 1024 is read"],
    [{ ...mosaicGpt, hidden_size: 64 }, "d_model is 60, and hidden_size 64; they are the same"],
    [{ ...mpt, attn_config: undefined }, "attn_config is missing; it must be an object"],
  ])("%j", (json, message) => {
    const error = rejectionOf(json);
    expect(error.code).toBe("model-invalid");
    expect(error.message).toContain(`config.json: ${message}`);
  });

  test("all that is wrong comes in one error", () => {
    expect(rejectionOf({ ...mpt, n_layers: "8", n_heads: null }).message).toBe(
      'config.json: n_layers is "8"; it must be an integer from 1 to 96; ' +
        "n_heads is null; it must be an integer from 1 to 1024",
    );
  });
});
