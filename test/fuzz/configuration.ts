/** The configuration files of a model folder: `openflamingo.json`, open_clip's and Hugging Face's. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { parseJson } from "../../src/base/json.js";
import { parseModelDescription } from "../../src/checkpoints/modelFolder.js";
import { languageModel, visionConfiguration } from "../../src/models/configuration.js";
import { generationConfiguration } from "../../src/models/generationConfiguration.js";
import { randomModelFolder } from "../goldens.js";
import { hubConfigurations } from "../models/hubConfigurations.js";
import { latin1 } from "./checkpoint.js";
import { otherJson } from "./json.js";
import type { FuzzKind } from "./kind.js";

const neox = {
  model_type: "gpt_neox",
  hidden_act: "gelu",
  hidden_size: 64,
  intermediate_size: 256,
  num_attention_heads: 4,
  num_hidden_layers: 4,
  max_position_embeddings: 128,
  rotary_pct: 1,
  rotary_emb_base: 10_000,
  tie_word_embeddings: false,
  use_parallel_residual: false,
};
const mosaic = {
  model_type: "mosaic_gpt",
  d_model: 60,
  n_heads: 6,
  n_layers: 3,
  max_seq_len: 128,
  mlp_ratio: 4,
  alibi: true,
  attn_qk_ln: true,
  no_bias: true,
};
const neoxOf5 = {
  ...hubConfigurations["RedPajama 3B saved by transformers 5"],
  num_hidden_layers: 4,
  vocab_size: 515,
};
const generation = { eos_token_id: [0, 2], pad_token_id: 1, bos_token_id: 0, temperature: 1, max_length: 20 };
const names = ["openflamingo.json", "clip/open_clip_config.json", "lang/config.json"];
const seeds = [
  ...names.map((name) => readFileSync(join(randomModelFolder, name), "utf8")),
  JSON.stringify(neox),
  JSON.stringify(mosaic),
  JSON.stringify(neoxOf5),
  JSON.stringify(hubConfigurations["MPT-7B saved by llm-foundry"]),
  JSON.stringify(generation),
].map((text) => Buffer.from(text));
const words = [
  "mpt",
  "gpt_neox",
  "mosaic_gpt",
  "random",
  "../x",
  "/x",
  "clip",
  "argmax",
  "gelu",
  "prepared",
  "2",
];

export const configurationKind: FuzzKind = {
  name: "configuration",
  seeds: () => seeds,
  mutate: (random, seed) => Buffer.from(otherJson(random, latin1(seed), words), "latin1"),
  async run(input) {
    const text = Buffer.from(input).toString();
    const invalid = (what: string, cause?: unknown) =>
      new OpenFlamingoError("model-invalid", `config.json: ${what}`, { hint: "", cause });
    if (text.includes("pad_token_id")) {
      const json = parseJson(text, invalid);
      generationConfiguration({ file: "lang", json }, { file: "generation", json }, 518);
      return;
    }
    // What a text is meant for is not known any more: each reader must stand it.
    const faults = [
      () => parseModelDescription(text, "openflamingo.json"),
      () => {
        const { text: tower, featureWidth } = visionConfiguration("clip", parseJson(text, invalid));
        tower();
        featureWidth();
      },
      () => languageModel("lang", parseJson(text, invalid), 518),
    ].flatMap((read) => {
      try {
        read();
        return [];
      } catch (error) {
        if (error instanceof OpenFlamingoError && error.code !== "internal") return [error];
        throw error;
      }
    });
    if (faults.length === 3) throw faults[0];
  },
};
