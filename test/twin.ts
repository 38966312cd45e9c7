/** The 9b twin, opened, with its golden values. */
import { readFileSync } from "node:fs";
import { readModelFolder } from "../src/checkpoints/modelFolder.node.js";
import { openCheckpoint } from "../src/checkpoints/openCheckpoint.node.js";
import { type Engine, openEngine } from "../src/engine/engine.js";
import type { EncodedPicture } from "../src/engine/pool.js";
import type { ModelCheckpoints } from "../src/engine/weights.js";
import { languageModel, visionConfiguration } from "../src/models/configuration.js";
import { releasedCrossAttention } from "../src/models/crossAttention.js";
import type { FlamingoConfig } from "../src/models/flamingo.js";
import { releasedPerceiver } from "../src/models/perceiver.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import { golden, goldenModel } from "./goldens.js";
import { type PlainTensor, tensorsOf } from "./tensors.js";

/** The folder of the twin's model. */
export const twinFolder = goldenModel("tiny-openflamingo-9b");
/** Ids of the twin's tokenizer: `golden/forward.json`, `ids`. */
export const ids = { endofchunk: 515, image: 516, pad: 517, size: 518 };

const json = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

/** A JSON file of the twin's golden values. */
export const goldenJson = <T>(name: string): T => json(golden(`tiny-openflamingo-9b/golden/${name}`)) as T;

/** The tensors of a safetensors file of golden values; float32 and int32 come as float32. */
export const goldenTensors = (name: string): Promise<Map<string, PlainTensor>> =>
  tensorsOf(golden(`tiny-openflamingo-9b/golden/${name}`));

export async function twinModel(): Promise<{
  config: FlamingoConfig;
  checkpoints: ModelCheckpoints;
  close(): Promise<void>;
}> {
  const { vision, language, flamingo } = await readModelFolder(twinFolder);
  const files = await Promise.all(
    [vision.weights, language.weights, flamingo.checkpoint].map((path) => openCheckpoint(path)),
  );
  const [visionFile, languageFile, flamingoFile] = files as [
    (typeof files)[0],
    (typeof files)[0],
    (typeof files)[0],
  ];
  return {
    config: {
      vision: visionConfiguration(vision.config, json(vision.config)).vit,
      perceiver: releasedPerceiver,
      crossAttention: releasedCrossAttention,
      crossAttentionEvery: flamingo.crossAttentionEvery,
      language: languageModel(language.config, json(language.config), ids.size),
    },
    checkpoints: { vision: visionFile, language: languageFile, flamingo: flamingoFile },
    async close() {
      for (const file of files) await file.close();
    },
  };
}

export interface Twin {
  readonly engine: Engine;
  /** The encoding of a golden picture by its name: `p0` … `p4`. */
  picture(name: string): Promise<EncodedPicture>;
  close(): Promise<void>;
}

export async function openTwin(): Promise<Twin> {
  const { config, checkpoints, close } = await twinModel();
  const runtime = await openOrtFfi();
  const engine = await openEngine(runtime, config, checkpoints, ids.image);
  await close();
  const inputs = await goldenTensors("inputs.safetensors");
  const encoded = new Map<string, Promise<EncodedPicture>>();
  return {
    engine,
    picture(name) {
      const known = encoded.get(name) ?? engine.encode(inputs.get(`pixels.${name}`)!.data);
      encoded.set(name, known);
      return known;
    },
    async close() {
      await engine.close();
      await runtime.close();
    },
  };
}

/** The largest absolute difference; not a number if one value is. */
export function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new Error(`${a.length} values beside ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
