/**
 * The compatible API's model: the reference implementation's methods on the model runner of the high-level API.
 *
 * Reference: open_flamingo/src/flamingo.py, `Flamingo`.
 */
import { OpenFlamingoError } from "../../base/errors.js";
import type { Checkpoint } from "../../checkpoints/checkpoint.js";
import type { FlamingoConfig } from "../../models/flamingo.js";
import type { EncodedImage, Prompt } from "../../runner/encodedImages.js";
import { encodeOnce } from "../../runner/encodeOnce.js";
import { type ModelRunner, tensorNames } from "../../runner/modelRunner.js";
import type { FlamingoTokenizer } from "../../text/flamingoTokens.js";
import type { OpenModel } from "../load.js";
import { requireKnown, requireSignal } from "../settings.js";
import {
  type Conditioning,
  countImageTokens,
  createForward,
  type ForwardArguments,
  type ForwardResult,
} from "./forward.js";
import {
  type GeneratedSequences,
  type GenerationArguments,
  generateSequences,
  type LanguageDefaults,
  planOf,
} from "./generation.js";
import { type Ids, type Mask, pixelsOf, textRows, usage, type VisionX } from "./inputs.js";
import { compareKeys, type LoadedKeys, withoutUnexpected } from "./stateDict.js";
import type { Tensor } from "./tensor.js";

export interface GenerateArguments extends GenerationArguments {
  readonly visionX: VisionX;
  /** (B, T), padded on the left. */
  readonly langX: Ids;
  readonly attentionMask?: Mask | undefined;
}

/** The model of `createModelAndTransforms`. Close it, or declare it with `await using`. */
export interface CompatibleModel extends AsyncDisposable {
  /** The id of `<|endofchunk|>`. */
  readonly eocTokenId: number;
  /** The id of `<image>`. */
  readonly mediaTokenId: number;
  /**
   * Loads trained weights over those of before, and with the first of them the frozen ones. Where it fails after the
   * keys were compared, the model is without weights: there is no room in memory for the old ones and the new.
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
  readonly tokenizer: FlamingoTokenizer;
  readonly defaults: LanguageDefaults;
  openCheckpoint(path: string, signal: AbortSignal | undefined): Promise<Checkpoint>;
  /** @param trained checkpoints of the trained part, in the order in which they are loaded */
  open(trained: readonly Checkpoint[], signal: AbortSignal | undefined): Promise<OpenModel>;
}

export function createCompatibleModel(parts: CompatibleModelParts): CompatibleModel {
  const { config, tokenizer, defaults } = parts;
  const { image: imageToken, endOfChunk } = tokenizer.special;
  const conditioning: Conditioning = { media: undefined };
  const stateDicts: string[] = [];
  let model: OpenModel | undefined;

  function runner(): ModelRunner {
    if (model) return model.runner;
    throw new OpenFlamingoError("checkpoint-missing", "the model has no trained weights yet", {
      hint: 'await model.loadStateDict("checkpoint.pt", { strict: false })',
    });
  }

  async function encode(visionX: Tensor, rows: number, signal: AbortSignal | undefined) {
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

  async function loadStateDict(
    file: string,
    { strict = true, signal }: { strict?: boolean | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<LoadedKeys> {
    const names = tensorNames(config);
    const trained: Checkpoint[] = [];
    try {
      for (const path of [...stateDicts, file]) trained.push(await parts.openCheckpoint(path, signal));
      const keys = compareKeys(names, trained.at(-1)!, strict);
      await close();
      const wanted = trained.map((checkpoint) => withoutUnexpected(names, checkpoint));
      model = await parts.open(wanted, signal);
      stateDicts.push(file);
      return keys;
    } finally {
      for (const checkpoint of trained) await checkpoint.close();
    }
  }

  async function generate(
    args: GenerateArguments & { readonly outputScores: true },
  ): Promise<GeneratedSequences>;
  async function generate(args: GenerateArguments): Promise<number[][]>;
  async function generate(args: GenerateArguments): Promise<GeneratedSequences | number[][]> {
    requireKnown("generate", args, known);
    const { langX, attentionMask, outputScores = false, signal } = args;
    const rows = textRows(langX, attentionMask, { vocabulary: config.language.vocabulary, padding: "left" });
    const visionX = await args.visionX;
    if (!visionX)
      throw usage("generate has no visionX", "A text without <image> needs one too: give any image.");
    const plan = planOf(langX, args, defaults);
    runner().requireCapacity(Math.max(...rows.map(({ ids }) => ids.length)), plan.maxNewTokens);
    const images = await encode(visionX, rows.length, signal);
    const prompts = rows.map(({ ids }, row): Prompt => ({ ids, images: images[row]! }));
    const found = await generateSequences(runner(), langX, prompts, plan);
    conditioning.media = undefined; // the reference implementation clears its layers
    return outputScores ? found : found.sequences;
  }

  async function close(): Promise<void> {
    forgetPasts();
    conditioning.media = undefined;
    await model?.close();
    model = undefined;
  }

  return {
    eocTokenId: endOfChunk,
    mediaTokenId: imageToken,
    loadStateDict,
    forward,
    generate,
    async cacheMedia({ inputIds, visionX, signal }) {
      requireSignal(signal);
      const images = await encode(await visionX, inputIds.length, signal);
      conditioning.media = { images, imageTokens: countImageTokens(inputIds, imageToken) };
    },
    uncacheMedia() {
      conditioning.media = undefined;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

const known: ReadonlySet<string> = new Set<keyof GenerateArguments>([
  ...(["visionX", "langX", "attentionMask", "signal", "outputScores", "logitsProcessor"] as const),
  ...(["maxLength", "minLength", "maxNewTokens", "minNewTokens", "numReturnSequences", "useCache"] as const),
  ...(["doSample", "temperature", "topK", "topP", "minP", "seed"] as const),
  ...(["numBeams", "lengthPenalty", "earlyStopping", "beamLength"] as const),
  ...(["eosTokenId", "padTokenId", "repetitionPenalty", "noRepeatNgramSize", "badWordsIds"] as const),
]);
