/** The programs of training on a runtime, with the frozen weights in them and the trained ones in a state. */
import { elementCount } from "../base/dtypes.js";
import { roundToBfloat16 } from "../base/halfPrecision.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { type Compiled, compile, type WeightUse } from "../onnx/compile.js";
import type { FloatTensor } from "../runs/runState.js";
import type { HostTensor } from "../runtime/hostTensor.js";
import type { Runtime, Session } from "../runtime/runtime.js";
import type { KernelPool } from "../weights/kernelPool.js";
import { type CheckpointFiles, eachTensor, findWeights, type LoadProgress } from "../weights/loadWeights.js";
import { allocate } from "../weights/weightMemory.js";
import type { BatchFeeds, TrainingImages } from "./batch.js";
import { lossOutput } from "./gradients.js";
import { type Learner, openLearner } from "./learner.js";
import { type LearnOptions, learnGraph, lossGraph, lossName, visionGraph } from "./learnGraph.js";
import { emptyState, requireFitting, type TrainingState, takeParameters } from "./state.js";
import type { WholeTensors } from "./stateTensors.js";

export interface ProgramOptions extends LearnOptions {
  readonly runtime: Runtime;
  readonly config: FlamingoConfig;
  readonly checkpoints: CheckpointFiles;
  /** What to go on from; the checkpoints' own parameters when left out. */
  readonly state?: TrainingState | undefined;
  /** Threads of one run; all cores when left out. */
  readonly threads?: number | undefined;
  readonly pool?: KernelPool | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: LoadProgress | undefined;
}

export interface TrainingPrograms {
  readonly state: TrainingState;
  /** The embedding, of which rows are trained or nothing is, whole, as the checkpoint has it. */
  readonly whole: WholeTensors;
  /** Gradients so far, of all trained tensors, as they lie in the state. */
  readonly gradients: Float32Array;
  /** What the vision encoder makes of pixels (N, 3, S, S): tokens (N, v, d), one image after the other. */
  encodeImages(pixels: Float32Array, signal?: AbortSignal): Promise<Float32Array>;
  /** The loss of a batch; its gradients, times `scale`, are added to those so far. */
  learn(batch: BatchFeeds, images: TrainingImages, scale: number, signal?: AbortSignal): Promise<number>;
  /** The loss of a batch that is not learnt from. */
  lossOf(batch: BatchFeeds, images: TrainingImages, signal?: AbortSignal): Promise<number>;
  close(): Promise<void>;
}

/** @throws OpenFlamingoError what reading weights and the runtime throw; `checkpoint-mismatch` for another's state */
export async function openPrograms(options: ProgramOptions): Promise<TrainingPrograms> {
  const { runtime, config, checkpoints, threads, signal } = options;
  const [visionPart, learnPart] = [visionGraph(config, options), learnGraph(config, options)];
  const [vision, learn] = [compile(visionPart.graph), compile(learnPart.graph)];
  const { trained } = learnPart;
  const state = options.state ?? emptyState(trained);
  if (options.state) requireFitting(options.state, trained);

  const uses = [...vision.weights, ...learn.weights];
  const ofTrained = trained.tensors.map(({ name, rows, shape }): WeightUse => {
    const whole = rows ? [config.language.vocabulary, config.language.hiddenSize] : shape;
    return { name, dtype: "float32", shape: whole, tensor: name, from: whole };
  });
  const found = findWeights([...uses, ...ofTrained], checkpoints, config.language);
  const weights = new Map<string, HostTensor>();
  const whole = new Map<string, FloatTensor>();
  for await (const { tensor, values, made } of eachTensor(uses, found, options)) {
    for (const [{ name }, weight] of made) weights.set(name, weight);
    if (!options.state) takeParameters(state, tensor, values);
    // Also where none of its rows is trained: a model's file has it.
    if (tensor === `lang_encoder.${config.language.embedding}`) {
      const shape = [config.language.vocabulary, config.language.hiddenSize];
      whole.set(tensor, { shape, data: values.slice(0, elementCount(shape)) });
    }
    for (const [{ name }] of made) {
      if (visionPart.rounded.has(name) || learnPart.rounded.has(name)) roundToBfloat16(values);
    }
  }

  const settings = { ...(threads !== undefined && { threads }), signal };
  const withWeights = (program: Compiled) => program.with((name) => weights.get(name)!);
  let encoding: Session | undefined;
  let learner: Learner | undefined;
  const close = async () => {
    await encoding?.close();
    await learner?.close();
  };
  try {
    const opened = await runtime.load(withWeights(vision), settings);
    encoding = opened;
    const learning = await openLearner(runtime, withWeights(learn), state, settings);
    learner = learning;

    const { imageSize, patchSize, hiddenSize } = config.vision;
    const perImage = 3 * imageSize ** 2;
    const patches = (imageSize / patchSize) ** 2;
    const encodeImages: TrainingPrograms["encodeImages"] = async (pixels, signal) => {
      const count = pixels.length / perImage;
      const tokens = allocate("images' tokens", count * patches * hiddenSize);
      for (let i = 0; i < count; i++) {
        const image = pixels.subarray(i * perImage, (i + 1) * perImage);
        const given: HostTensor = { dtype: "float32", shape: [1, 3, imageSize, imageSize], data: image };
        const length = patches * hiddenSize;
        const data = tokens.subarray(i * length, (i + 1) * length);
        const into: HostTensor = { dtype: "float32", shape: [1, patches, hiddenSize], data };
        await opened.run({ pixels: given }, { outputs: { tokens: into }, signal });
      }
      return tokens;
    };
    let zeroImage: Promise<Float32Array> | undefined;
    const tokensOf = async (
      { needsZeroImage }: BatchFeeds,
      images: TrainingImages,
      signal: AbortSignal | undefined,
    ): Promise<HostTensor> => {
      const own = images.tokens ?? (await encodeImages(images.pixels, signal));
      if (needsZeroImage) zeroImage ??= encodeImages(new Float32Array(perImage));
      const data = needsZeroImage ? joined(own, await zeroImage!) : own;
      return { dtype: "float32", shape: [data.length / (patches * hiddenSize), patches, hiddenSize], data };
    };
    let evaluating: ReturnType<Learner["load"]> | undefined;

    return {
      state,
      whole,
      gradients: learning.gradients,
      encodeImages,
      async learn(batch, images, scale, signal) {
        const feeds = { ...batch.text, tokens: await tokensOf(batch, images, signal) };
        const { [lossOutput]: loss } = await learning.learn(feeds, { want: [lossOutput], scale, signal });
        return Number(loss!.data[0]);
      },
      async lossOf(batch, images, signal) {
        evaluating ??= learning.load(withWeights(compile(lossGraph(config, options).graph)));
        const evaluate = await evaluating;
        const tokens = await tokensOf(batch, images, signal);
        const { [lossName]: loss } = await evaluate({ ...batch.text, tokens }, { signal });
        return Number(loss!.data[0]);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function joined(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
