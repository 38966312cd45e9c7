/**
 * Trained towers as files that others read: CLIP as open_clip has it, the language model as Hugging Face has MPT.
 *
 * Formats: open_clip's `open_clip_config.json` (`CLIPVisionCfg`, `CLIPTextCfg` of 2.20.0) with the state of its `CLIP`;
 * `config.json` of the hub's mosaicml/mpt-7b (`MPTForCausalLM`), which transformers' own `MptForCausalLM` reads too.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "../../../src/base/wholeFile.node.js";
import { writeSafetensors } from "../../../src/checkpoints/writeSafetensors.node.js";
import type { MptConfig } from "../../../src/models/mpt.js";
import type { FloatTensors } from "../../../src/runs/runState.js";
import { aidName, type ClipConfig } from "./clipGraph.js";

/** How numbers are kept in a file. */
export type WrittenType = "float32" | "float16";

/** What the image tower was trained with: of each colour, on the scale of 0 to 1. */
export interface Colours {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export const clipFiles = { config: "open_clip_config.json", weights: "open_clip_model.safetensors" } as const;
export const languageFiles = { config: "config.json", weights: "model.safetensors" } as const;

/**
 * Writes `open_clip_config.json` and `open_clip_model.safetensors` into a folder, which is made where it is not there.
 * open_clip 2.20 takes the tensors by `model.load_state_dict(safetensors.torch.load_file(…))`.
 *
 * @param tensors by the names of the graph; the heads that aided the training are left out
 */
export async function writeClip(
  folder: string,
  {
    config,
    tensors,
    colours,
    dtype = "float32",
  }: {
    readonly config: ClipConfig;
    readonly tensors: FloatTensors;
    readonly colours: Colours;
    readonly dtype?: WrittenType | undefined;
  },
): Promise<void> {
  const own = new Map([...tensors].filter(([name]) => !isAid(name)));
  await writeModel(folder, clipFiles, showClip(config, colours), own, dtype);
}

/** Writes the heads that aided CLIP's training, which are no part of it, as one file. */
export async function writeAids(path: string, tensors: FloatTensors, dtype: WrittenType): Promise<void> {
  await writeSafetensors(path, withType(new Map([...tensors].filter(([name]) => isAid(name))), dtype));
}

/** Writes `config.json` and `model.safetensors` into a folder, which is made where it is not there. */
export async function writeLanguageModel(
  folder: string,
  {
    config,
    tensors,
    dtype = "float32",
  }: {
    readonly config: MptConfig;
    readonly tensors: FloatTensors;
    readonly dtype?: WrittenType | undefined;
  },
): Promise<void> {
  await writeModel(folder, languageFiles, showMpt(config, dtype), tensors, dtype);
}

const isAid = (name: string) => name.startsWith(`${aidName}.`);

/** As `writeSafetensors` takes them, in the order of their names. */
export function withType(tensors: FloatTensors, dtype: WrittenType) {
  const inOrder = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(inOrder.map(([name, tensor]) => [name, { ...tensor, dtype }]));
}

async function writeModel(
  folder: string,
  files: { readonly config: string; readonly weights: string },
  config: object,
  tensors: FloatTensors,
  dtype: WrittenType,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, files.weights), withType(tensors, dtype), { format: "pt" });
  const text = `${JSON.stringify(config, null, 2)}\n`;
  await writeWhole(join(folder, files.config), (file) => file.writeFile(text));
}

function showClip({ vision, text }: ClipConfig, { mean, std }: Colours): object {
  return {
    model_cfg: {
      embed_dim: text.features,
      vision_cfg: {
        image_size: vision.imageSize,
        layers: vision.layers,
        width: vision.hiddenSize,
        patch_size: vision.patchSize,
        head_width: vision.hiddenSize / vision.heads,
        mlp_ratio: vision.mlpRatio,
      },
      text_cfg: {
        context_length: text.contextLength,
        vocab_size: text.vocabulary,
        width: text.hiddenSize,
        heads: text.heads,
        // Without `mlp_ratio`: open_clip 2.20.0 has no such field here, and 4 for all.
        layers: text.layers,
      },
      ...(vision.activation === "quickGelu" && { quick_gelu: true }),
    },
    preprocess_cfg: { mean, std },
  };
}

const showMpt = (config: MptConfig, dtype: WrittenType): object => ({
  architectures: ["MPTForCausalLM"],
  attn_config: {
    alibi: true,
    alibi_bias_max: config.alibiMax,
    attn_impl: "torch",
    attn_pdrop: 0,
    attn_type: "multihead_attention",
    attn_uses_sequence_id: false,
    clip_qkv: null,
    prefix_lm: false,
    qk_ln: false,
    softmax_scale: null,
  },
  d_model: config.hiddenSize,
  emb_pdrop: 0,
  embedding_fraction: 1,
  expansion_ratio: config.mlpRatio,
  init_device: "cpu",
  learned_pos_emb: true,
  logit_scale: null,
  max_seq_len: config.contextLength,
  model_type: "mpt",
  n_heads: config.heads,
  n_layers: config.layers,
  no_bias: true,
  norm_type: "low_precision_layernorm",
  resid_pdrop: 0,
  torch_dtype: dtype,
  use_cache: false,
  verbose: 0,
  vocab_size: config.vocabulary,
});
