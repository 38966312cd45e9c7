/**
 * The compatible API's model: the reference implementation's methods on the model runner of the high-level API.
 *
 * Reference: open_flamingo/src/flamingo.py, `Flamingo`.
 */
import { asyncDispose, withClosing } from "../../base/dispose.js";
import { OpenFlamingoError } from "../../base/errors.js";
import { anything, boolean, optional, type Reader } from "../../base/fields.js";
import { quoted } from "../../base/quoted.js";
import type { Checkpoint } from "../../checkpoints/checkpoint.js";
import type { FlamingoConfig } from "../../models/flamingo.js";
import type { Compiled } from "../../onnx/compile.js";
import type { CacheFormat } from "../../runner/cacheFormats.js";
import type { EncodedImage, Prompt } from "../../runner/encodedImages.js";
import { encodeOnce } from "../../runner/encodeOnce.js";
import { countImageTokens } from "../../runner/imageIndex.js";
import { type ModelRunner, programsOf, tensorNames } from "../../runner/modelRunner.js";
import type { Weight } from "../../runtime/runtime.js";
import type { FlamingoTokenizer } from "../../text/flamingoTokens.js";
import type { OpenModel } from "../openOnRuntime.js";
import { readOptions, signal } from "../readOptions.js";
import { type Conditioning, createForward, type ForwardArguments, type ForwardResult } from "./forward.js";
import { type GeneratedSequences, generateSequences } from "./generation.js";
import {
  type GenerationArguments,
  generationReaders,
  type LanguageDefaults,
  planOf,
} from "./generationArguments.js";
import {
  errorsComeLater,
  type Ids,
  type Mask,
  pixelsOf,
  plainRows,
  textRows,
  usage,
  type VisionX,
} from "./inputs.js";
import { compareKeys, type LoadedKeys, withoutUnexpected } from "./stateDict.js";
import type { TensorData } from "./tensorData.js";

export interface GenerateArguments extends GenerationArguments {
  /** The images of each row, (B, T_img, 1, 3, S, S): what `stack` makes. */
  readonly visionX: VisionX;
  /** Ids of each row, (B, T), padded on the left. */
  readonly langX: Ids;
  /** (B, T): 1 for an id of the text, 0 for padding. Default: no padding. */
  readonly attentionMask?: Mask | undefined;
}

/** The model of `createModelAndTransforms`. Close it, or declare it with `await using`. */
export interface CompatibleModel extends AsyncDisposable {
  /** The id of `<|endofchunk|>`. */
  readonly eocTokenId: number;
  /** The id of `<image>`. */
  readonly mediaTokenId: number;
  /**
   * Loads trained weights over those of before, and with the first of them the frozen ones. Where it fails, the model
   * is as before: what the file holds is in memory twice for a moment.
   *
   * @param file a local path: a state dict, or a training checkpoint with its `model_state_dict`
   * @param options.strict whether missing and unexpected keys are an error; true, as in torch. The released checkpoints
   *   hold the trained weights only: they are loaded with false.
   * @throws OpenFlamingoError `checkpoint-…`, `weights-not-finite`, `backend`, `memory`
   */
  loadStateDict(
    file: string,
    options?: { readonly strict?: boolean | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<LoadedKeys>;
  /**
   * Logits of every token.
   *
   * @throws OpenFlamingoError `shape`, `usage`, `prompt-too-long`, `image-count`, `backend`; `checkpoint-missing`
   *   before `loadStateDict`
   */
  forward(args: ForwardArguments): Promise<ForwardResult>;
  /**
   * Continues texts.
   *
   * @returns (B · numReturnSequences, length): prompt and new ids
   * @throws OpenFlamingoError as `forward`, and `logits-not-finite`
   * @example
   * const [ids] = await model.generate({ visionX, langX: inputIds, attentionMask, maxNewTokens: 20, numBeams: 3 });
   */
  generate(args: GenerateArguments & { readonly outputScores: true }): Promise<GeneratedSequences>;
  generate(args: GenerateArguments): Promise<number[][]>;
  /** Encodes images for the `forward`s that follow, whose texts without `<image>` then see the last of these. */
  cacheMedia(args: {
    readonly inputIds: Ids;
    readonly visionX: VisionX;
    readonly signal?: AbortSignal | undefined;
  }): Promise<void>;
  uncacheMedia(): void;
  close(): Promise<void>;
}

export interface CompatibleModelParts {
  readonly config: FlamingoConfig;
  readonly cacheFormat: CacheFormat | undefined;
  readonly tokenizer: FlamingoTokenizer;
  readonly defaults: LanguageDefaults;
  openCheckpoint(path: string, signal: AbortSignal | undefined): Promise<Checkpoint>;
  /** @param source the trained file, and the weights of the model that it changes, if there is one */
  open(
    source: {
      readonly flamingo: Checkpoint;
      readonly loaded: ReadonlyMap<string, Weight> | undefined;
      readonly programs: readonly Compiled[];
    },
    signal: AbortSignal | undefined,
  ): Promise<OpenModel>;
}

export function createCompatibleModel(parts: CompatibleModelParts): CompatibleModel {
  const { config, cacheFormat, tokenizer, defaults } = parts;
  const { image: imageToken, endOfChunk } = tokenizer.special;
  const conditioning: Conditioning = { media: undefined };
  let programs: readonly Compiled[] | undefined; // compiled once
  let model: OpenModel | undefined;
  let closed = false;

  function requireOpen(): void {
    if (!closed) return;
    throw new OpenFlamingoError("closed", "the model is closed", {
      hint: "Create it again, or close it later.",
    });
  }

  function runner(): ModelRunner {
    requireOpen();
    if (model) return model.runner;
    throw new OpenFlamingoError("checkpoint-missing", "the model has no trained weights yet", {
      hint: 'await model.loadStateDict("checkpoint.pt", { strict: false })',
    });
  }

  async function encode(visionX: TensorData, rows: number, signal: AbortSignal | undefined) {
    const pixels = pixelsOf(visionX, rows, config.vision.imageSize);
    const encodeImage = encodeOnce(runner());
    const images: EncodedImage[][] = [];
    for (const row of pixels) {
      const encoded: EncodedImage[] = [];
      for (const each of row) encoded.push(await encodeImage(each, { signal }));
      images.push(encoded);
    }
    return images;
  }

  const { forward, close: forgetPasts } = createForward({ config, imageToken, conditioning, runner, encode });

  async function loadNow(
    file: string,
    strict: boolean,
    signal: AbortSignal | undefined,
  ): Promise<LoadedKeys> {
    requireOpen();
    programs ??= programsOf(config, undefined, cacheFormat);
    const names = tensorNames(programs);
    return withClosing(async (closing) => {
      const checkpoint = closing(await parts.openCheckpoint(file, signal));
      const keys = compareKeys(names, checkpoint, strict);
      const flamingo = withoutUnexpected(names, checkpoint);
      // The old model goes when the new one is there: where loading fails, nothing has changed.
      const next = await parts.open({ flamingo, loaded: model?.runner.weights, programs: programs! }, signal);
      await forget();
      model = next;
      return keys;
    });
  }

  // Loads come one after the other: each goes on from the weights of those before it.
  let loading: Promise<unknown> = Promise.resolve();
  const loadStateDict: CompatibleModel["loadStateDict"] = async (file, options) => {
    const { strict, signal } = readOptions("loadStateDict", stateDictReaders, options);
    if (typeof file !== "string") {
      throw usage(
        `loadStateDict: the file is ${quoted(file)}; it must be a path`,
        "Give the path of a checkpoint.",
      );
    }
    const loaded = loading.then(() => loadNow(file, strict, signal));
    loading = loaded.catch(() => {});
    return loaded;
  };

  async function generate(
    args: GenerateArguments & { readonly outputScores: true },
  ): Promise<GeneratedSequences>;
  async function generate(args: GenerateArguments): Promise<number[][]>;
  async function generate(args: GenerateArguments): Promise<GeneratedSequences | number[][]> {
    errorsComeLater(args?.visionX); // before anything can be wrong with the other arguments
    const { visionX, langX, attentionMask, ...generation } = readOptions("generate", generateReaders, args);
    const text = plainRows("langX", langX);
    const mask = attentionMask === undefined ? undefined : plainRows("attentionMask", attentionMask);
    const rows = textRows(text, mask, { vocabulary: config.language.vocabulary, padding: "left" });
    const plan = planOf(text, generation, defaults);
    const model = runner();
    model.requireCapacity(Math.max(...rows.map(({ ids }) => ids.length)), plan.maxNewTokens);
    const tensor = await visionX;
    if (!tensor) {
      throw usage("generate has no visionX", "A text without <image> needs one too: give any image.");
    }
    const images = await encode(tensor, rows.length, plan.signal);
    const prompts = rows.map(({ ids }, row): Prompt => ({ ids, images: images[row]! }));
    const found = await generateSequences(model, text, prompts, plan);
    conditioning.media = undefined; // the reference implementation clears its layers
    return plan.outputScores ? found : found.sequences;
  }

  async function forget(): Promise<void> {
    forgetPasts();
    conditioning.media = undefined;
    const open = model;
    model = undefined;
    await open?.close();
  }

  async function close(): Promise<void> {
    closed = true;
    await loading;
    await forget();
  }

  return {
    eocTokenId: endOfChunk,
    mediaTokenId: imageToken,
    loadStateDict,
    forward,
    generate,
    async cacheMedia(args) {
      errorsComeLater(args?.visionX);
      const { inputIds, visionX, signal } = readOptions("cacheMedia", cacheReaders, args);
      const rows = plainRows("inputIds", inputIds);
      const images = await encode((await visionX)!, rows.length, signal);
      conditioning.media = { images, imageTokens: rows.map((ids) => countImageTokens(ids, imageToken)) };
    },
    uncacheMedia() {
      conditioning.media = undefined;
    },
    close,
    [asyncDispose]: close,
  };
}

const tensor = anything as Reader<VisionX | null | undefined>;
const generateReaders = { ...generationReaders, visionX: tensor, langX: anything, attentionMask: anything };
const stateDictReaders = { strict: optional(boolean, true), signal };
const cacheReaders = { inputIds: anything, visionX: tensor, signal };
