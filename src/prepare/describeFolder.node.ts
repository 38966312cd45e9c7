/** What a prepared folder has beside its weights: configuration files, tokenizers, the index, the description. */
import { createHash } from "node:crypto";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findInside } from "../checkpoints/insideFolder.node.js";
import { type PreparedDescription, preparedVersion } from "../checkpoints/modelFolder.js";
import { beside, type ModelPath } from "../checkpoints/modelPath.js";
import { type OpenableModel, pathsOf } from "../checkpoints/openableModel.js";
import { indexFile, type PreparedIndex, showPreparedIndex } from "../checkpoints/preparedIndex.js";
import type { FormatSettings } from "../weights/weightFormats.js";

export interface Description extends FormatSettings {
  readonly index: PreparedIndex;
  readonly calibration?: PreparedDescription["prepared"]["calibration"];
}

/**
 * The configuration files, from wherever the model has them into one layout; the index; and at last the description, by
 * which the folder is one.
 *
 * @returns the SHA-256 of the index
 */
export async function describeFolder(
  model: OpenableModel,
  to: string,
  { weights, block, keep, calibration, ...written }: Description,
): Promise<string> {
  const index = showPreparedIndex(written.index);
  const { name, words, licence, card, prompt, generation, vision, language, flamingo } = model;
  const { visionJson, clipTokenizer } = model;
  const at = pathsOf(model);
  const tokenizer = at("language", language.tokenizer);
  await mkdir(join(to, "clip"), { recursive: true });
  await mkdir(join(to, "lang"), { recursive: true });
  const visionConfig = at("vision", vision.config);
  if (visionJson === undefined) await copyFile(visionConfig.path, join(to, files.vision));
  else await writeFile(join(to, files.vision), `${JSON.stringify(visionJson, null, 2)}\n`);
  await copyIfThere(clipTokenizer ?? beside(visionConfig, "tokenizer.json"), join(to, files.clipTokenizer));
  await copyFile(language.config, join(to, files.language));
  await copyFile(language.tokenizer, join(to, files.tokenizer));
  for (const name of ["special_tokens_map.json", "tokenizer_config.json"]) {
    await copyIfThere(beside(tokenizer, name), join(to, "lang", name));
  }
  if (card) await copyFile(card, join(to, files.card));
  await writeFile(join(to, indexFile), index);
  const sha256 = createHash("sha256").update(index).digest("hex");
  const json = {
    ...{ format: "openflamingo-model", version: 1, name, words, licence, prompt, generation },
    ...(card && { card: files.card }),
    vision: { config: files.vision },
    language: { config: files.language, tokenizer: files.tokenizer },
    flamingo: { crossAttentionEvery: flamingo.crossAttentionEvery },
    prepared: {
      ...{ version: preparedVersion, weights, block },
      ...(keep.size > 0 && { keep: Object.fromEntries(keep) }),
      ...(calibration && { calibration }),
      sha256,
    },
  };
  await writeFile(join(to, "openflamingo.json"), `${JSON.stringify(json, null, 2)}\n`);
  return sha256;
}

/** Where a prepared folder has its small files. */
const files = {
  vision: "clip/open_clip_config.json",
  clipTokenizer: "clip/tokenizer.json",
  language: "lang/config.json",
  tokenizer: "lang/tokenizer.json",
  card: "README.md",
};

async function copyIfThere(from: ModelPath, to: string): Promise<void> {
  const found = await findInside(from);
  if ("real" in found) await copyFile(found.real, to);
}
