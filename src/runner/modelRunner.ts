/**
 * A model with its weights on a runtime: images in, keys and values out; tokens in, logits out. The only place that
 * knows both graphs and runtimes.
 */
import { type FormatOf, quantize } from "../graph/index.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { gatedBlocks } from "../models/flamingo.js";
import { type Compiled, compile, type WeightUse } from "../onnx/compile.js";
import type { Runtime, Session, Weight } from "../runtime/runtime.js";
import type { KernelPool } from "../weights/kernelPool.js";
import {
  type Importance,
  type LoadProgress,
  loadWeights,
  type ModelCheckpoints,
} from "../weights/loadWeights.js";
import type { IsHalf, WeightFormat } from "../weights/weightFormats.js";
import type { CacheFormat } from "./cacheFormats.js";
import { type DecodeProgram, pieceLengthOf } from "./call.js";
import { createDecoder, type Decoder, type DecoderOptions } from "./decoder.js";
import { decodeSessions } from "./decodeSessions.js";
import type { EncodedImage, Prompt } from "./encodedImages.js";
import { decodeStages, encodeGraph, numbered } from "./graphs.js";
import { inSequence } from "./inSequence.js";
import { requireCapacity } from "./promptChecks.js";
import { createTokenTree, type TokenTree, type TreeOptions } from "./tokenTree.js";

export interface ModelRunner extends AsyncDisposable {
  readonly config: FlamingoConfig;
  readonly runtime: Runtime;
  /** In which numbers its caches are. */
  readonly cacheFormat: CacheFormat;
  /** The weights of its programs, as their formats have them: encode, then decode in one stage or several. */
  readonly weightUses: readonly (readonly WeightUse[])[];
  /** The memory that it computes in, by its programs' names: another program may be lent it. */
  readonly weights: ReadonlyMap<string, Weight>;
  /** @param pixels float32 (3, S, S), normalised */
  encode(pixels: Float32Array, options?: { signal?: AbortSignal | undefined }): Promise<EncodedImage>;
  /**
   * Makes ready to generate for a batch of prompts. The caller closes the decoder.
   *
   * @throws OpenFlamingoError `prompt-too-long`, `image-count`, `usage`, `memory`
   */
  decoder(prompts: readonly Prompt[], options: DecoderOptions): Promise<Decoder>;
  /**
   * Makes ready for several continuations of one prompt. The caller closes the tree.
   *
   * @throws OpenFlamingoError `prompt-too-long`, `image-count`, `usage`, `memory`
   */
  tokenTree(prompt: Prompt, options: TreeOptions): Promise<TokenTree>;
  /** @throws OpenFlamingoError `prompt-too-long` when the model has not so many positions */
  requireCapacity(tokens: number, capacity: number): void;
  close(): Promise<void>;
}

/** Where the weights are to be read, or the weights themselves, by their programs' names. */
export type WeightSource =
  | { readonly checkpoints: ModelCheckpoints; readonly weights?: undefined }
  | { readonly weights: ReadonlyMap<string, Weight>; readonly checkpoints?: undefined };

export type RunnerOptions = WeightSource & RunnerSettings;

export interface RunnerSettings {
  readonly runtime: Runtime;
  readonly config: FlamingoConfig;
  /** As in `DecodeProgram`; that of `programs`. */
  readonly cacheFormat?: CacheFormat | undefined;
  /** Those of the configuration, where they are compiled already. */
  readonly programs?: readonly Compiled[] | undefined;
  /** The id of `<image>`. */
  readonly imageToken: number;
  /** Threads of one run; all cores when left out. */
  readonly threads?: number | undefined;
  /** As in `ReadOptions`, for weights that are to be read. */
  readonly isHalf?: IsHalf;
  readonly importance?: Importance | undefined;
  /** As in `DecodeProgram`. */
  readonly freeMemory?: (() => number) | undefined;
  /** As in `ReadOptions`. */
  readonly pool?: KernelPool | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: LoadProgress | undefined;
}

/**
 * The programs of a model: encode, and decode in one stage or several, with its matrices and caches in the formats
 * given. Decision 0017 has the figures.
 *
 * Kernels of matrices in few bits pack them when a session is made, on one thread. So a large model's decode program is
 * in stages, whose sessions are made side by side; what runs hand from one to the next is small.
 */
export const programsOf = (
  config: FlamingoConfig,
  formatOf?: FormatOf,
  cacheFormat?: CacheFormat,
): readonly Compiled[] => {
  const stages = decodeStages(config, formatOf ? stagesOf(config) : 1, cacheFormat);
  return [encodeGraph(config), ...stages].map((graph) =>
    compile(formatOf ? quantize(graph, formatOf) : graph),
  );
};

/** More would help only where there are more cores, and each has threads of its own. */
const mostStages = 4;

/** Stages of the decode program, which then have a tenth of a second of packing each, or more. */
const stagesOf = ({ language: { layers, hiddenSize } }: FlamingoConfig): number =>
  12 * layers * hiddenSize ** 2 < 2 ** 28 ? 1 : Math.min(layers, mostStages);

/** All that the programs of a model depend on, as text: equal keys have equal programs. */
export const programKey = (
  config: FlamingoConfig,
  format: WeightFormat,
  cacheFormat: CacheFormat = "fp32",
): string => JSON.stringify({ format, cacheFormat, ...config });

/** The reference implementation's names of all tensors that programs need. */
export const tensorNames = (programs: readonly Compiled[]): ReadonlySet<string> =>
  new Set(programs.flatMap(({ weights }) => weights.map(({ tensor }) => tensor)));

/**
 * Loads the weights and makes the programs ready.
 *
 * @throws OpenFlamingoError what `loadWeights` and the runtime throw
 */
export async function openModelRunner(options: RunnerOptions): Promise<ModelRunner> {
  const { runtime, config, imageToken, threads, freeMemory, signal, cacheFormat = "fp32" } = options;
  const { programs = programsOf(config, undefined, cacheFormat) } = options;
  const uses = programs.flatMap(({ weights }) => weights);
  const weights = new Map(
    options.weights ?? (await loadWeights(uses, options.checkpoints, config.language, options)),
  );

  const load = (program: Compiled, signal?: AbortSignal): Promise<Session> =>
    runtime.load(
      program.with((name) => weights.get(name)!),
      { ...(threads !== undefined && { threads }), signal },
    );
  // Side by side: making a session takes one core.
  const loads = await Promise.allSettled(programs.map((program) => load(program, signal)));
  const sessions = loads.flatMap((load) => (load.status === "fulfilled" ? [load.value] : []));
  const close = async () => {
    for (const session of sessions) await session.close();
    weights.clear(); // whoever keeps the closed model does not keep its weights
  };
  const failed = loads.find((load) => load.status === "rejected");
  if (failed) {
    await close();
    throw failed.reason;
  }
  const [encoding, ...decoding] = sessions as [Session, ...Session[]];

  const encode: ModelRunner["encode"] = (pixels, { signal } = {}) =>
    encodeImage(encoding, config, pixels, signal);
  const decodePrograms = programs.slice(1);
  const plain = {
    session: inSequence(decodePrograms.map(({ program }, i) => ({ program, session: decoding[i]! }))),
    weights: decodePrograms.flatMap(({ weights }) => weights),
    cacheFormat,
  };
  const sessionOf = decodeSessions(runtime, config, plain, async (program) => {
    const session = await load(program);
    sessions.push(session);
    return session;
  });
  const pieceLength = pieceLengthOf(programs[1]!.weights);
  const program: DecodeProgram = {
    ...{ runtime, sessionOf, config, imageToken, cacheFormat, pieceLength, freeMemory },
  };
  let zeroImage: Promise<EncodedImage> | undefined;
  return {
    config,
    runtime,
    cacheFormat,
    weightUses: programs.map((program) => program.weights),
    weights,
    encode,
    decoder: (prompts, options) =>
      createDecoder({
        ...program,
        ...options,
        prompts,
        zeroImage: () => (zeroImage ??= encode(new Float32Array(3 * config.vision.imageSize ** 2))),
      }),
    tokenTree: (prompt, options) => createTokenTree({ ...program, ...options, prompt }),
    requireCapacity: (tokens, capacity) => requireCapacity(config.language, tokens, capacity),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** @param pixels float32 (3, S, S), normalised */
async function encodeImage(
  session: Session,
  config: FlamingoConfig,
  pixels: Float32Array,
  signal: AbortSignal | undefined,
): Promise<EncodedImage> {
  const { imageSize } = config.vision;
  const shape = [1, 3, imageSize, imageSize];
  const blocks = gatedBlocks(config).map((_, i) => i);
  const want = blocks.flatMap((i) => [numbered("keys", i), numbered("values", i)]);
  const outputs = await session.run({ pixels: { dtype: "float32", shape, data: pixels } }, { want, signal });
  const dataOf = (name: string) => outputs[name]!.data as Float32Array;
  return {
    media: blocks.map((i) => ({ keys: dataOf(numbered("keys", i)), values: dataOf(numbered("values", i)) })),
  };
}
