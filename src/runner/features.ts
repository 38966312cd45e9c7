/**
 * CLIP's features of images and texts, pooled and projected, in the space that the two share. Most users never ask
 * for them: until the first image or text comes, nothing of them is read, compiled or in memory.
 *
 * Reference: open_clip 2.20.0, src/open_clip/model.py, `CLIP.encode_image` and `CLIP.encode_text`.
 * Sizes: S pixels a side, t tokens, f width of the features.
 */
import { onFirstUse } from "../base/onFirstUse.js";
import type { FormatOf, Graph } from "../graph/index.js";
import { quantize } from "../graph/index.js";
import type { VisionConfiguration } from "../models/configuration.js";
import { type Compiled, compile, type WeightUse } from "../onnx/compile.js";
import type { HostTensor } from "../runtime/hostTensor.js";
import type { Runtime, Session, Weight } from "../runtime/runtime.js";
import { liveName, type Tower } from "../weights/clipNames.js";
import { imageFeaturesGraph, textFeaturesGraph } from "./graphs.js";

/** What is loaded at first use stays until the runtime is closed. A signal does not stop the loading. */
export interface Features {
  /**
   * @param pixels float32 (3, S, S), normalised
   * @returns (f), not normalised
   * @throws OpenFlamingoError `model-invalid`, `checkpoint-mismatch`, `weights-not-finite`, `memory`, `backend`
   */
  ofImage(pixels: Float32Array, options?: { signal?: AbortSignal | undefined }): Promise<Float32Array>;
  /**
   * @param ids of one text (t), with start and end token; the end token has the largest id of all
   * @returns (f), not normalised
   * @throws OpenFlamingoError as `ofImage`, and `model-unsupported`
   */
  ofText(ids: readonly number[], options?: { signal?: AbortSignal | undefined }): Promise<Float32Array>;
}

/** The weights of a tower, by the names of its program. */
export type TowerWeights = (tower: Tower, uses: readonly WeightUse[]) => Promise<ReadonlyMap<string, Weight>>;

/**
 * The program of a tower, with its matrices in the formats given.
 *
 * @param clip what the vision encoder's configuration says of the whole of CLIP
 * @throws OpenFlamingoError `model-invalid`, `model-unsupported`
 */
export function featureProgram(tower: Tower, clip: VisionConfiguration, formatOf?: FormatOf): Compiled {
  const graph: Graph =
    tower === "vision" ? imageFeaturesGraph(clip.vit, clip.featureWidth()) : textFeaturesGraph(clip.text());
  return compile(formatOf ? quantize(graph, (name, shape) => formatOf(liveName(name), shape)) : graph);
}

/**
 * Measured with ViT-L/14 in float32: on `ort.ffi` the second program over the vision encoder's weights takes 60 MiB, for
 * its own working memory; on `ort.binding`, which copies the weights of every program, 1.3 GiB. The text tower takes
 * 470 MiB.
 *
 * @param clip what the vision encoder's configuration says of the whole of CLIP
 */
export function createFeatures(
  runtime: Runtime,
  clip: VisionConfiguration,
  weightsOf: TowerWeights,
  { formatOf, threads }: { formatOf?: FormatOf | undefined; threads?: number | undefined } = {},
): Features {
  const load = async (tower: Tower): Promise<Session> => {
    const compiled = featureProgram(tower, clip, formatOf);
    const weights = await weightsOf(tower, compiled.weights);
    return runtime.load(
      compiled.with((name) => weights.get(name)!),
      threads === undefined ? {} : { threads },
    );
  };

  const images = onFirstUse(() => load("vision"));
  const texts = onFirstUse(() => load("text"));

  const run = async (
    session: () => Promise<Session>,
    feeds: Readonly<Record<string, HostTensor>>,
    signal: AbortSignal | undefined,
  ) => {
    signal?.throwIfAborted();
    const { features } = await (await session()).run(feeds, { signal });
    return features!.data as Float32Array;
  };
  const { imageSize } = clip.vit;
  return {
    ofImage: (data, { signal } = {}) =>
      run(images, { pixels: { dtype: "float32", shape: [1, 3, imageSize, imageSize], data } }, signal),
    ofText: (ids, { signal } = {}) =>
      run(texts, { ids: { dtype: "int32", shape: [1, ids.length], data: Int32Array.from(ids) } }, signal),
  };
}
