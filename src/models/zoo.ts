/**
 * The five released models: where their parts are on the hub, and what they are made of.
 *
 * Facts: the model cards of openflamingo/OpenFlamingo-*, the paper (arXiv:2308.01390), Table 1, and the configuration
 * files of the language models.
 */
import { releasedCrossAttention } from "./crossAttention.js";
import type { FlamingoConfig } from "./flamingo.js";
import { gptNeox } from "./gptNeox.js";
import type { LanguageModel } from "./language.js";
import { mosaicGpt } from "./mosaicGpt.js";
import { mpt } from "./mpt.js";
import { releasedPerceiver } from "./perceiver.js";
import type { VitConfig } from "./vit.js";

export interface ReleasedModel {
  /** Of the trained file, on the hub. */
  readonly name: string;
  /** Of language model and tokenizer, on the hub. */
  readonly language: string;
  /** Where the same language model is at a commit that never changes. */
  readonly pinned?: { readonly repository: string; readonly revision: string } | undefined;
  /** Of the vision encoder, in open_clip's words. */
  readonly vision: { readonly model: string; readonly pretrained: string };
  readonly config: FlamingoConfig;
}

/** The vision encoder of all of them: OpenAI's CLIP ViT-L/14. */
export const vitL14: VitConfig = {
  imageSize: 224,
  patchSize: 14,
  hiddenSize: 1024,
  layers: 24,
  heads: 16,
  mlpRatio: 4,
  activation: "quickGelu",
};

// GPT-NeoX-20B's tokenizer has 50277 entries; `<|endofchunk|>`, `<image>` and `<PAD>` come after them.
const text = { vocabulary: 50_280, contextLength: 2048 };
const mpt1b = mosaicGpt({
  ...text,
  layers: 24,
  hiddenSize: 2048,
  heads: 16,
  mlpRatio: 4,
  alibiMax: 8,
  queryKeyNorm: true,
});
const mpt7b = mpt({ ...text, layers: 32, hiddenSize: 4096, heads: 32, mlpRatio: 4, alibiMax: 8 });
const redPajama3b = gptNeox({
  ...text,
  layers: 32,
  hiddenSize: 2560,
  heads: 32,
  mlpRatio: 4,
  rotaryDim: 80,
  rotaryBase: 10_000,
  parallel: false,
});

const released = (
  name: string,
  language: string,
  model: LanguageModel,
  crossAttentionEvery: number,
  pinned?: ReleasedModel["pinned"],
): ReleasedModel => ({
  name: `openflamingo/OpenFlamingo-${name}`,
  language,
  pinned,
  vision: { model: "ViT-L-14", pretrained: "openai" },
  config: {
    vision: vitL14,
    perceiver: releasedPerceiver,
    crossAttention: releasedCrossAttention,
    crossAttentionEvery,
    language: model,
  },
});

export const zoo: readonly ReleasedModel[] = [
  released("3B-vitl-mpt1b", "anas-awadalla/mpt-1b-redpajama-200b", mpt1b, 1),
  released("3B-vitl-mpt1b-langinstruct", "anas-awadalla/mpt-1b-redpajama-200b-dolly", mpt1b, 1),
  released("4B-vitl-rpj3b", "togethercomputer/RedPajama-INCITE-Base-3B-v1", redPajama3b, 2),
  released("4B-vitl-rpj3b-langinstruct", "togethercomputer/RedPajama-INCITE-Instruct-3B-v1", redPajama3b, 2),
  released("9B-vitl-mpt7b", "anas-awadalla/mpt-7b", mpt7b, 4, {
    // Of which anas-awadalla/mpt-7b is a copy.
    repository: "mosaicml/mpt-7b",
    revision: "68e1a8e0ebb9b30f3c45c1ef6195980f29063ae2",
  }),
];
