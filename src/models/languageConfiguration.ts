/**
 * The language model's configuration: Hugging Face's `config.json`, of MPT here and of GPT-NeoX beside.
 *
 * Source: the hub's code of mosaicml/mpt-7b and mosaicml/mpt-1b-redpajama-200b (`configuration_mpt.py`,
 * `configuration_mosaic_gpt.py`), transformers 4.33 and 5 (`MptConfig`), and llm-foundry for later keys.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { boolean, nullable, number, object, only, optional } from "../base/fields.js";
import { isObject } from "../base/json.js";
import { quoted } from "../base/quoted.js";
import {
  contextField,
  expansionField,
  harmless,
  headDimOf,
  headsField,
  isHubKey,
  layersField,
  readConfiguration,
  requireSize,
  requireThat,
  vocabularySize,
  widthField,
} from "./configurationFields.js";
import { readGptNeox } from "./gptNeoxConfiguration.js";
import type { LanguageModel } from "./language.js";
import { mosaicGpt } from "./mosaicGpt.js";
import { mpt } from "./mpt.js";

/**
 * @param file its name, for errors
 * @param vocabulary rows of the embedding, with the tokens that Flamingo adds
 * @throws OpenFlamingoError `model-invalid` for a missing or wrong field, `model-unsupported` for a kind of model or a
 *   setting that is not built
 */
export function languageModel(file: string, json: unknown, vocabulary: number): LanguageModel {
  const kind = isObject(json) ? json.model_type : undefined;
  const reader = languageModels.get(String(kind));
  if (reader) return reader(file, json, vocabulary);
  const supported = [...languageModels.keys()].map(quoted).join(", ");
  throw new OpenFlamingoError(
    "model-unsupported",
    `${file}: model_type is ${quoted(kind)}, supported are ${supported}`,
    { hint: "Only models of these kinds can be opened." },
  );
}

/** By `model_type`. */
const languageModels = new Map<string, (file: string, json: unknown, vocabulary: number) => LanguageModel>([
  ["mpt", readMpt],
  ["mosaic_gpt", readMosaicGpt],
  ["gpt_neox", readGptNeox],
]);

const none = only(undefined, null);
const off = only(undefined, null, false);
/** The greatest exponent of ALiBi's slopes: float32 has 2^-126. */
const alibiMax = optional(number(0, 126, { above: true }), 8);

/** Keys that both generations of MPT's configuration have. */
const ofBoth = {
  model_type: harmless,
  n_layers: layersField,
  d_model: widthField,
  n_heads: headsField,
  max_seq_len: contextField,
  vocab_size: vocabularySize,
  no_bias: only(true),
  logit_scale: only(undefined, null, 1),
  tie_word_embeddings: only(undefined, true),
  is_encoder_decoder: off,
  add_cross_attention: off,
  pruned_heads: only(undefined, null, {}),
  quantization_config: none,
  hidden_size: optional(widthField), // a second name of d_model
  embedding_fraction: optional(number(0, 1, { above: true })), // of gradients
  learned_pos_emb: optional(boolean), // ALiBi takes its place
  emb_pdrop: harmless,
  resid_pdrop: harmless,
  init_config: harmless,
  loss_fn: harmless,
};

const feedForward = {
  ffn_type: only(undefined, "mptmlp"),
  fc_type: only(undefined, "torch", { name: "torch" }),
  ffn_act_fn: none,
  ffn_hidden_size: none,
};

const mptConfig = object(
  {
    ...ofBoth,
    expansion_ratio: optional(expansionField, 4),
    norm_type: only(undefined, "low_precision_layernorm", "layernorm"), // the same without autocast
    layer_norm_epsilon: only(undefined, 1e-5),
    norm_eps: only(undefined, 1e-5),
    fc_type: feedForward.fc_type,
    ffn_config: optional(nullable(object(feedForward))),
    block_overrides: none,
    final_logit_softcapping: none,
    use_pad_tok_in_ffn: harmless,
    attn_config: object(
      {
        attn_type: only(undefined, "multihead_attention"),
        attn_uses_sequence_id: off,
        alibi: only(true),
        alibi_bias_max: alibiMax,
        clip_qkv: none,
        qk_ln: off,
        qk_gn: off,
        prefix_lm: off,
        softmax_scale: none,
        fused_qkv: only(undefined, true),
        kv_n_heads: none,
        kv_dim: none,
        head_dim: none,
        sliding_window_size: only(undefined, -1),
        reuse_kv_layer_idx: none,
        attn_logit_softcapping: none,
        rope: off,
        rope_theta: harmless,
        rope_impl: harmless,
        rope_dail_config: harmless,
        rope_hf_config: harmless,
        attn_impl: harmless,
        attn_pdrop: harmless,
        model_type: harmless,
        is_encoder_decoder: off,
        add_cross_attention: off,
        tie_word_embeddings: harmless,
        pruned_heads: only(undefined, null, {}),
      },
      { ignored: isHubKey },
    ),
  },
  { ignored: isHubKey },
);

function readMpt(file: string, json: unknown, vocabulary: number): LanguageModel {
  const fields = readConfiguration(file, json, mptConfig);
  const mlpRatio = fields.expansion_ratio;
  return mpt({
    ...sizesOf(file, fields, mlpRatio),
    mlpRatio,
    vocabulary,
    alibiMax: fields.attn_config.alibi_bias_max,
  });
}

const mosaicGptConfig = object(
  {
    ...ofBoth,
    mlp_ratio: optional(expansionField, 4),
    alibi: only(true),
    alibi_bias_max: alibiMax,
    attn_qk_ln: optional(boolean, false),
    attn_clip_qkv: none,
    attn_uses_sequence_id: off,
    prefix_lm: off,
    softmax_scale: none,
    low_precision_layernorm: optional(boolean), // the same without autocast
    attn_impl: harmless,
    attn_pdrop: harmless,
    param_init_fn: harmless,
    init_std: harmless,
    init_gain: harmless,
    init_nonlinearity: harmless,
    init_div_is_residual: harmless,
    emb_init_std: harmless,
    emb_init_uniform_lim: harmless,
    fan_mode: harmless,
  },
  { ignored: isHubKey },
);

function readMosaicGpt(file: string, json: unknown, vocabulary: number): LanguageModel {
  const fields = readConfiguration(file, json, mosaicGptConfig);
  const mlpRatio = fields.mlp_ratio;
  return mosaicGpt({
    ...sizesOf(file, fields, mlpRatio),
    mlpRatio,
    vocabulary,
    alibiMax: fields.alibi_bias_max,
    queryKeyNorm: fields.attn_qk_ln,
  });
}

function sizesOf(
  file: string,
  fields: {
    readonly n_layers: number;
    readonly d_model: number;
    readonly n_heads: number;
    readonly max_seq_len: number;
    readonly hidden_size: number | undefined;
  },
  mlpRatio: number,
) {
  const {
    n_layers: layers,
    d_model: hiddenSize,
    n_heads: heads,
    max_seq_len: contextLength,
    hidden_size,
  } = fields;
  headDimOf(file, ["d_model", hiddenSize], ["n_heads", heads]);
  requireThat(
    (hidden_size ?? hiddenSize) === hiddenSize,
    file,
    `d_model is ${hiddenSize}, and hidden_size ${hidden_size}; they are the same`,
  );
  requireSize(file, { layers, hiddenSize, inner: mlpRatio * hiddenSize });
  return { layers, hiddenSize, heads, contextLength };
}
