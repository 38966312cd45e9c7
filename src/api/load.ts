/** Loading a model: from a folder and a platform to a `Flamingo`. */
import { OpenFlamingoError } from "../base/errors.js";
import type { Checkpoint } from "../checkpoints/checkpoint.js";
import type { ModelDescription } from "../checkpoints/modelFolder.js";
import { openEngine } from "../engine/engine.js";
import type { LoadProgress } from "../engine/weights.js";
import { languageModel, visionConfiguration } from "../models/configuration.js";
import { releasedCrossAttention } from "../models/crossAttention.js";
import { releasedPerceiver } from "../models/perceiver.js";
import type { Runtime } from "../runtime/runtime.js";
import { createFlamingoTokenizer } from "../text/flamingoTokens.js";
import { createFlamingo, type Flamingo, type FlamingoParts } from "./flamingo.js";

export interface LoadOptions {
  /** Threads of one run; all cores when left out. */
  readonly threads?: number | undefined;
  /**
   * Which runtime computes: `ort.ffi` (ONNX Runtime through its C interface) or `ort.binding` (its own binding, slower).
   * Left out: the first, or the second where the first does not work.
   */
  readonly engine?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called while weights are read, with bytes done and in all. */
  readonly onProgress?: LoadProgress | undefined;
  /** Called with what a user should know, such as another engine than the usual one. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** What loading needs of the system that it runs on. */
export interface Platform {
  /** The bytes of a file of the model, as text. @throws OpenFlamingoError `model-missing` */
  readText(path: string): Promise<string>;
  /** The same for a file that need not be there. */
  readOptionalText(path: string): Promise<string | undefined>;
  /** A file with this name in the folder of another. */
  beside(path: string, name: string): string;
  openCheckpoint(path: string, options: { signal?: AbortSignal | undefined }): Promise<Checkpoint>;
  openRuntime(name: string | undefined, onNotice: LoadOptions["onNotice"]): Promise<Runtime>;
  readonly decodePicture: FlamingoParts["decodePicture"];
}

/**
 * Opens the model that a description names, its paths being such as the platform reads.
 *
 * @throws OpenFlamingoError `model-…`, `checkpoint-…`, `tokenizer-invalid`, `weights-not-finite`, `engine`, `memory`
 */
export async function loadModel(
  platform: Platform,
  description: ModelDescription,
  { threads, engine: engineName, signal, onProgress, onNotice }: LoadOptions,
): Promise<Flamingo> {
  signal?.throwIfAborted();
  const { vision, language, flamingo } = description;
  const readJson = async (path: string) => parseJson(path, await platform.readText(path));
  const readOptional = async (path: string) => {
    const text = await platform.readOptionalText(path);
    return text === undefined ? undefined : parseJson(path, text);
  };

  const visual = visionConfiguration(vision.config, await readJson(vision.config));
  const tokenizer = createFlamingoTokenizer(await readJson(language.tokenizer), {
    specialTokensMap: await readOptional(platform.beside(language.tokenizer, "special_tokens_map.json")),
    tokenizerConfig: await readOptional(platform.beside(language.tokenizer, "tokenizer_config.json")),
  });
  const config = {
    vision: visual.vit,
    perceiver: releasedPerceiver,
    crossAttention: releasedCrossAttention,
    crossAttentionEvery: flamingo.crossAttentionEvery,
    language: languageModel(language.config, await readJson(language.config), tokenizer.size),
  };

  const runtime = await platform.openRuntime(engineName, onNotice);
  try {
    await using visionFile = await platform.openCheckpoint(vision.weights, { signal });
    await using languageFile = await platform.openCheckpoint(language.weights, { signal });
    await using flamingoFile = await platform.openCheckpoint(flamingo.checkpoint, { signal });
    const checkpoints = { vision: visionFile, language: languageFile, flamingo: flamingoFile };
    const engine = await openEngine(runtime, config, checkpoints, tokenizer.special.image, {
      threads,
      signal,
      onProgress,
    });
    return createFlamingo({
      name: description.name,
      words: description.words,
      runtimeName: `${runtime.name} ${runtime.version}`,
      engine,
      tokenizer,
      preprocessing: { size: visual.vit.imageSize, mean: visual.mean, std: visual.std },
      prompt: description.prompt,
      generation: description.generation ?? {},
      decodePicture: platform.decodePicture,
      close: async () => {
        await engine.close();
        await runtime.close();
      },
    });
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new OpenFlamingoError("model-invalid", `${path}: not JSON`, { hint: "Is the file whole?", cause });
  }
}
