/**
 * CLIP's features of images and texts, pooled and projected, in the space that the two share. Most users never ask
 * for them: until the first image or text comes, nothing of them is read, compiled or in memory.
 *
 * Reference: open_clip 2.20.0, src/open_clip/model.py, `CLIP.encode_image` and `CLIP.encode_text`.
 * Sizes: S pixels a side, t tokens, f width of the features.
 */
import { withClosing } from "../base/dispose.js";
import { onFirstUse } from "../base/onFirstUse.js";
import type { Checkpoint } from "../checkpoints/checkpoint.js";
import type { Graph } from "../graph/index.js";
import type { VisionConfiguration } from "../models/configuration.js";
import { compile } from "../onnx/compile.js";
import type { HostTensor } from "../runtime/hostTensor.js";
import type { Session } from "../runtime/runtime.js";
import { imageFeaturesGraph, textFeaturesGraph } from "./graphs.js";
import type { ModelRunner } from "./modelRunner.js";
import { loadTower } from "./weights.js";

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

/**
 * Measured with ViT-L/14: on `ort.ffi` the second program over the vision encoder's weights takes 60 MiB, for its own
 * working memory; on `ort.binding`, which copies the weights of every program, 1.3 GiB. The text tower takes 470 MiB.
 *
 * @param clip what the vision encoder's configuration says of the whole of CLIP
 * @param openVision opens the vision encoder's checkpoint once more
 */
export function createFeatures(
  { runtime, weights: loaded }: Pick<ModelRunner, "runtime" | "weights">,
  clip: VisionConfiguration,
  openVision: () => Promise<Checkpoint>,
  { threads }: { threads?: number | undefined } = {},
): Features {
  const load = async (tower: "vision" | "text", graph: Graph): Promise<Session> => {
    const compiled = compile(graph);
    return withClosing(async (closing) => {
      const checkpoint = closing(await openVision());
      const weights = await loadTower(tower, compiled.weights, checkpoint, loaded);
      return runtime.load(
        compiled.with((name) => weights.get(name)!),
        threads === undefined ? {} : { threads },
      );
    });
  };

  const images = onFirstUse(() => load("vision", imageFeaturesGraph(clip.vit, clip.featureWidth())));
  const texts = onFirstUse(() => load("text", textFeaturesGraph(clip.text())));

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
