/// <reference lib="esnext.disposable" preserve="true" />
/**
 * For people who write models: a small language of tensors with gradients, the models of Flamingo written in it, and a
 * way to run what one has written. Experimental: names and arguments may still change between minor versions.
 *
 * A model is a function that writes nodes into a graph; shapes are checked while it does. `grad` adds the nodes of the
 * gradients to the same graph. `run` computes a graph once, `openGraph` makes it ready for many runs.
 *
 * @example
 * // A line through four points, by gradient descent.
 * import {
 *   createGraph, grad, hostTensor, type HostTensors, input, linear, mean, mul, openGraph, output, sub,
 * } from "openflamingo/graph";
 *
 * const graph = createGraph("line");
 * const x = input(graph, "x", "float32", [4, 1]);
 * const y = input(graph, "y", "float32", [4, 1]);
 * const w = input(graph, "w", "float32", [1, 1]);
 * const b = input(graph, "b", "float32", [1]);
 * const error = sub(linear(x, w, b), y); // (4, 1)
 * const loss = mean(mul(error, error), { axes: [0, 1] }); // ()
 * const [dw, db] = grad(loss, [w, b]);
 * output(graph, "next w", sub(w, mul(dw, 0.1)));
 * output(graph, "next b", sub(b, mul(db, 0.1)));
 *
 * const points = {
 *   x: hostTensor("float32", [4, 1], [0, 1, 2, 3]),
 *   y: hostTensor("float32", [4, 1], [1, 3, 5, 7]), // y = 2 x + 1
 * };
 * let line: HostTensors = { w: hostTensor("float32", [1, 1], [0]), b: hostTensor("float32", [1], [0]) };
 * const training = await openGraph(graph);
 * try {
 *   for (let step = 0; step < 200; step++) {
 *     const next = await training.run({ ...points, ...line });
 *     line = { w: next["next w"]!, b: next["next b"]! };
 *   }
 * } finally {
 *   await training.close();
 * }
 * console.log(Number(line.w!.data[0]).toFixed(3), Number(line.b!.data[0]).toFixed(3)); // 2.000 1.000
 *
 * @example
 * // The Perceiver resampler with random weights.
 * import { createGraph, hostTensor, input, output, params, perceiver, run } from "openflamingo/graph";
 *
 * const graph = createGraph("resampler");
 * const patches = input(graph, "patches", "float32", ["b", "T", 1, "v", 32]);
 * const config = { depth: 2, heads: 4, headDim: 8, latents: 6, mlpRatio: 4 };
 * output(graph, "y", perceiver(params(graph), patches, config));
 *
 * const image = hostTensor("float32", [1, 1, 1, 49, 32], new Float32Array(49 * 32).fill(0.5));
 * const random = (count: number) => Float32Array.from({ length: count }, () => 0.1 * (Math.random() - 0.5));
 * const { y } = await run(graph, { patches: image }, { weights: ({ elements }) => random(elements) });
 * console.log(y!.shape); // [ 1, 1, 6, 32 ]
 *
 * @module
 */

export type { DType } from "./base/dtypes.js";
export { OpenFlamingoError } from "./base/errors.js";
export * from "./graph/index.js";
export { alibiBias, alibiSlopes } from "./models/alibi.js";
export { imageFeatures, normalized, similarity } from "./models/clip.js";
export { type ClipTextConfig, causalMask, textFeatures } from "./models/clipText.js";
export {
  ALL_IMAGES,
  type CrossAttentionConfig,
  type CrossAttentionMask,
  crossAttentionMask,
  gatedCrossAttention,
  type Media,
  maskedCrossAttention,
  NO_IMAGE,
  projectMedia,
  releasedCrossAttention,
} from "./models/crossAttention.js";
export {
  type Decoded,
  type DecodeInputs,
  decode,
  type Encoded,
  encode,
  type FlamingoConfig,
  gatedBlocks,
} from "./models/flamingo.js";
export { type GptNeoxConfig, gptNeox } from "./models/gptNeox.js";
export type { Attend, KeysValues, LanguageModel, Positions, WithPresent } from "./models/language.js";
/** Layers that find their parameters by name: `layers.linear(p.at("to_q"), x, 512)`. */
export * as layers from "./models/layers.js";
export { type Params, params } from "./models/layers.js";
export { nextTokenLoss } from "./models/loss.js";
export { mosaicGpt } from "./models/mosaicGpt.js";
export { type MptConfig, mpt } from "./models/mpt.js";
export { type PerceiverConfig, perceiver, releasedPerceiver } from "./models/perceiver.js";
export { type RotaryConfig, rotation } from "./models/rotary.js";
export { type AttentionContext, type Cache, selfAttention } from "./models/selfAttention.js";
export { type VitConfig, vit, vitTokens } from "./models/vit.js";
export { type ReleasedModel, vitL14, zoo } from "./models/zoo.js";
export {
  type HostTensors,
  hostTensor,
  type OpenGraph,
  type OpenGraphOptions,
  openGraph,
  run,
  type WantedWeight,
} from "./onnx/run.node.js";
export type { HostTensor } from "./runtime/hostTensor.js";
