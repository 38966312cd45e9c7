/** The tiny models, opened, with their golden values. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readModelFolder, requireCheckpoints } from "../src/checkpoints/modelFolder.node.js";
import { openCheckpoint } from "../src/checkpoints/openCheckpoint.node.js";
import type { FormatOf } from "../src/graph/index.js";
import { languageModel, visionConfiguration } from "../src/models/configuration.js";
import { releasedCrossAttention } from "../src/models/crossAttention.js";
import type { FlamingoConfig } from "../src/models/flamingo.js";
import { releasedPerceiver } from "../src/models/perceiver.js";
import type { CacheFormat } from "../src/runner/cacheFormats.js";
import type { EncodedImage } from "../src/runner/encodedImages.js";
import { type ModelRunner, openModelRunner, programsOf } from "../src/runner/modelRunner.js";
import { openOrtBinding } from "../src/runtime/ortBinding.node.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import type { Runtime } from "../src/runtime/runtime.js";
import type { ModelCheckpoints } from "../src/weights/loadWeights.js";
import { atHand, golden, goldenModel, goldenModels } from "./goldens.js";
import { isSlowAsked } from "./slow.js";
import { type PlainTensor, tensorsOf } from "./tensors.js";

/** Ids of a tiny model's tokenizer: `golden/forward.json`, `ids`. */
export interface TokenIds {
  readonly endofchunk: number;
  readonly image: number;
  readonly pad: number;
  /** How many there are. */
  readonly size: number;
}

/** What the tests read of a language model's `config.json`. */
interface LanguageConfig {
  readonly model_type: string;
  readonly eos_token_id?: number;
  readonly max_seq_len?: number;
  readonly max_position_embeddings?: number;
}

/** What the tests read of a vision encoder's `open_clip_config.json`. */
interface VisionConfig {
  readonly model_cfg: { readonly vision_cfg: { readonly image_size: number } };
}

const runtimes = { "ort.ffi": openOrtFfi, "ort.binding": openOrtBinding };
export type BackendName = keyof typeof runtimes;

const json = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

export interface TinyModel {
  readonly runner: ModelRunner;
  /** The encoding of a golden image by its name: `p0` … `p4`. */
  image(name: string): Promise<EncodedImage>;
  close(): Promise<void>;
}

export interface GoldenModel {
  readonly name: string;
  /** What computes it. */
  readonly backend: BackendName;
  /** The folder of its model. */
  readonly folder: string;
  readonly ids: TokenIds;
  /** `mpt`, `mosaic_gpt` or `gpt_neox`. */
  readonly family: string;
  readonly contextLength: number;
  /** Pixels a side of its images. */
  readonly imageSize: number;
  /** The token at which the language model's configuration ends texts, if it names one. */
  readonly endOfText: number | undefined;
  /** A JSON file of its golden values. */
  goldenJson<T>(file: string): T;
  /** The tensors of a safetensors file of its golden values; float32 and int32 come as float32. */
  goldenTensors(file: string): Promise<Map<string, PlainTensor>>;
  /** Its configuration and its files, to be closed by the caller. */
  model(): Promise<{ config: FlamingoConfig; checkpoints: ModelCheckpoints; close(): Promise<void> }>;
  openRuntime(): Promise<Runtime>;
  /** @param formatOf the formats of its matrices; float32 when left out */
  open(formatOf?: FormatOf, cacheFormat?: CacheFormat): Promise<TinyModel>;
}

/** @param name of its folder: `tiny-openflamingo-4b` */
export function tinyModel(name: string, on: BackendName = "ort.ffi"): GoldenModel {
  const folder = goldenModel(name);
  const languageConfig = json(join(folder, "lang/config.json")) as LanguageConfig;
  const visionConfig = json(join(folder, "clip/open_clip_config.json")) as VisionConfig;
  const goldenJson = <T>(file: string): T => json(golden(`${name}/golden/${file}`)) as T;
  const goldenTensors = (file: string) => tensorsOf(golden(`${name}/golden/${file}`));

  const { len_tokenizer: size, ...special } = goldenJson<{
    ids: Omit<TokenIds, "size"> & { len_tokenizer: number };
  }>("forward.json").ids;
  const ids: TokenIds = { ...special, size };

  const model: GoldenModel["model"] = async () => {
    const { vision, language, flamingo } = requireCheckpoints(await readModelFolder(folder));
    const open = (path: string) => openCheckpoint(path);
    const checkpoints = {
      vision: await open(vision.weights),
      language: await open(language.weights),
      flamingo: await open(flamingo.checkpoint),
    };
    return {
      config: {
        vision: visionConfiguration(vision.config, json(vision.config)).vit,
        perceiver: releasedPerceiver,
        crossAttention: releasedCrossAttention,
        crossAttentionEvery: flamingo.crossAttentionEvery,
        language: languageModel(language.config, json(language.config), ids.size),
      },
      checkpoints,
      async close() {
        for (const file of Object.values(checkpoints)) await file.close();
      },
    };
  };

  const openRuntime = runtimes[on];
  const open: GoldenModel["open"] = async (formatOf, cacheFormat) => {
    const { config, checkpoints, close } = await model();
    const runtime = await openRuntime();
    const runner = await openModelRunner({
      ...{ runtime, config, checkpoints, imageToken: ids.image },
      ...{ programs: programsOf(config, formatOf, cacheFormat), cacheFormat },
    });
    await close();
    const inputs = await goldenTensors("inputs.safetensors");
    const encoded = new Map<string, Promise<EncodedImage>>();
    return {
      runner,
      image(image) {
        const known = encoded.get(image) ?? runner.encode(inputs.get(`pixels.${image}`)!.data);
        encoded.set(image, known);
        return known;
      },
      async close() {
        await runner.close();
        await runtime.close();
      },
    };
  };

  return {
    name,
    backend: on,
    folder,
    ids,
    family: languageConfig.model_type,
    contextLength: languageConfig.max_seq_len ?? languageConfig.max_position_embeddings!,
    imageSize: visionConfig.model_cfg.vision_cfg.image_size,
    endOfText: languageConfig.eos_token_id,
    goldenJson,
    goldenTensors,
    model,
    openRuntime,
    open,
  };
}

/** What of a tiny model must be at hand for tests of a golden file of its own. */
const filesOf = (name: string, file: string): readonly string[] => [
  `${name}/openflamingo.json`,
  `${name}/golden/forward.json`,
  `${name}/golden/${file}`,
];

/** The tiny models that are at hand with the given golden file; of those that are not it is said what is skipped. */
export const tinyModelsWith = (file: string, what: string): readonly GoldenModel[] =>
  atHand(goldenModels(), (name) => filesOf(name, file), what).map((name) => tinyModel(name));

const name9b = "tiny-openflamingo-9b";

/**
 * Each of the tiny models on each backend. Without the slow tests, the binding has the 9b alone: it calls the same library
 * with the same programs.
 */
export const onBackends = (tinyModels: readonly GoldenModel[]): readonly GoldenModel[] =>
  (Object.keys(runtimes) as BackendName[])
    .flatMap((on) => tinyModels.map(({ name }) => tinyModel(name, on)))
    .filter(({ backend, name }) => isSlowAsked || backend !== "ort.binding" || name === name9b);

/** The 9b tiny model, which is in the repository: what most tests need. None if it is not at hand with the file. */
export const tinyModel9bWith = (file: string, what: string): readonly GoldenModel[] =>
  atHand([name9b], (name) => filesOf(name, file), what).map((name) => tinyModel(name));

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
