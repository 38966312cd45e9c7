/**
 * Writes a released model at full size with made-up weights: its names, shapes, types of numbers and layout of files.
 * No two tensors are alike. The 9B takes 20 GB on the disk.
 *
 *     npx tsx bench/syntheticModel.ts 9B-vitl-mpt7b FOLDER [--float32] [--blocks N]
 *
 * With `--float32`, the language model's shards are float32, as some are published; otherwise bfloat16. `--blocks`: with
 * only the first blocks of the language model.
 */
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { elementCount } from "../src/base/dtypes.js";
import { randomStream } from "../src/base/random.js";
import { zoo } from "../src/models/zoo.js";
import { programsOf } from "../src/runner/modelRunner.js";
import { hubConfigurations } from "../test/models/hubConfigurations.js";

const { values: given, positionals } = parseArgs({
  options: { float32: { type: "boolean", default: false }, blocks: { type: "string" } },
  allowPositionals: true,
});
const [name = "9B-vitl-mpt7b", folder] = positionals;
const model = zoo.find((each) => each.name.endsWith(`OpenFlamingo-${name}`));
if (!model || !folder) throw new Error("usage: syntheticModel.ts NAME FOLDER [--float32] [--blocks N]");
const layers = Number(given.blocks ?? model.config.language.layers);
const config = { ...model.config, language: { ...model.config.language, layers } };

const shapes = new Map(
  programsOf(config).flatMap(({ weights }) => weights.map(({ tensor, from }) => [tensor, from] as const)),
);
const isTrained = (tensor: string) => /^perceiver\.|gated_cross_attn_layer/.test(tensor);
const isVision = (tensor: string) => tensor.startsWith("vision_encoder.");
const embedding = `lang_encoder.${config.language.embedding}`;

/** Numbers like a trained model's: a norm's weights near 1, biases and gates small, matrices by their width. */
const normals = new Float32Array(2 ** 20);
const random = randomStream(0, "synthetic");
for (let i = 0; i < normals.length; i++) normals[i] = random.normal(i);
function rangeOf(tensor: string, shape: readonly number[]): { mean: number; deviation: number } {
  if (/gate$/.test(tensor)) return { mean: 0.5, deviation: 0.1 };
  if (shape.length === 1) return { mean: /weight$/.test(tensor) ? 1 : 0, deviation: 0.02 };
  return { mean: 0, deviation: tensor === embedding ? 0.02 : 0.7 * shape.at(-1)! ** -0.5 };
}

/** As bfloat16, cut. */
function upperHalves(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer);
  const halves = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) halves[i] = words[i]! >>> 16;
  return halves;
}

/** Another stretch of the same normals for each tensor, in pieces. */
function* piecesOf(tensor: string, shape: readonly number[], type: string, seed: number) {
  const { mean, deviation } = rangeOf(tensor, shape);
  let place = (seed * 7919) % normals.length;
  for (let left = elementCount(shape); left > 0; ) {
    const count = Math.min(left, normals.length - place);
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) values[i] = mean + deviation * normals[place + i]!;
    yield Buffer.from(type === "F32" ? values.buffer : upperHalves(values).buffer);
    left -= count;
    place = (place + count + 12_347) % normals.length;
  }
}

/** A safetensors file of those tensors, by the names that `rename` gives. */
async function write(
  file: string,
  tensors: readonly (readonly [string, readonly number[]])[],
  rename: (tensor: string) => string,
  type: "F32" | "BF16",
): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let offset = 0;
  for (const [tensor, shape] of tensors) {
    const size = (type === "F32" ? 4 : 2) * elementCount(shape);
    header[rename(tensor)] = { dtype: type, shape, data_offsets: [offset, offset + size] };
    offset += size;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const pieces = function* () {
    yield length;
    yield text;
    for (const [i, [tensor, shape]] of tensors.entries()) yield* piecesOf(tensor, shape, type, i + 1);
  };
  await pipeline(pieces, createWriteStream(file));
}

for (const part of ["clip", "lang"]) mkdirSync(join(folder, part), { recursive: true });
const all = [...shapes];
const liveVision = (tensor: string) => tensor.replace("vision_encoder.", "visual.");
await write(
  join(folder, "clip/open_clip_model.safetensors"),
  all.filter(([tensor]) => isVision(tensor)),
  liveVision,
  "F32",
);
await write(
  join(folder, "checkpoint.safetensors"),
  all.filter(([tensor]) => isTrained(tensor) || tensor === embedding),
  (tensor) => tensor,
  "F32",
);
const language = all.filter(([tensor]) => !isVision(tensor) && !isTrained(tensor));
const half = Math.ceil(language.length / 2);
const shards = [language.slice(0, half), language.slice(half)];
const shardName = (i: number) => `model-0000${i + 1}-of-00002.safetensors`;
const plain = (tensor: string) => tensor.replace("lang_encoder.", "");
for (const [i, shard] of shards.entries()) {
  await write(join(folder, "lang", shardName(i)), shard, plain, given.float32 ? "F32" : "BF16");
}
const json = (file: string, value: unknown) =>
  writeFileSync(join(folder, file), `${JSON.stringify(value, null, 2)}\n`);
json("lang/model.safetensors.index.json", {
  metadata: {},
  weight_map: Object.fromEntries(
    shards.flatMap((shard, i) => shard.map(([tensor]) => [plain(tensor), shardName(i)])),
  ),
});
const languages = { "3B": "MPT-1B", "4B": "RedPajama 3B", "9B": "MPT-7B" } as const;
const published = hubConfigurations[languages[name.slice(0, 2) as keyof typeof languages]];
const layersKey = "n_layers" in published ? "n_layers" : "num_hidden_layers";
json("lang/config.json", {
  ...published,
  [layersKey]: layers,
  vocab_size: config.language.vocabulary,
});
json("clip/open_clip_config.json", {
  model_cfg: {
    embed_dim: 768,
    quick_gelu: true,
    vision_cfg: { image_size: 224, layers: 24, width: 1024, patch_size: 14 },
    text_cfg: { context_length: 77, vocab_size: 49408, width: 768, heads: 12, layers: 12 },
  },
  preprocess_cfg: {
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  },
});
const tokenizer = new URL("../../shared/goldens/tokenizer/neox20b.tokenizer.json.gz", import.meta.url);
writeFileSync(join(folder, "lang/tokenizer.json"), gunzipSync(readFileSync(tokenizer)));
json("openflamingo.json", {
  format: "openflamingo-model",
  version: 1,
  name: `synthetic ${name}`,
  words: "random",
  vision: { config: "clip/open_clip_config.json", weights: "clip/open_clip_model.safetensors" },
  language: { config: "lang/config.json", weights: "lang", tokenizer: "lang/tokenizer.json" },
  flamingo: { checkpoint: "checkpoint.safetensors", crossAttentionEvery: config.crossAttentionEvery },
});
console.log(`${folder}: ${model.name} with made-up weights`);
