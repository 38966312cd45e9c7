/** The two graphs of generation, and those of CLIP's features, with the names by which the runner feeds them. */
import { createGraph, cutGraph, type Graph, input, output, type Tensor } from "../graph/index.js";
import { imageFeatures } from "../models/clip.js";
import { type ClipTextConfig, textFeatures } from "../models/clipText.js";
import { decode, encode, type FlamingoConfig, gatedBlocks } from "../models/flamingo.js";
import { params } from "../models/layers.js";
import type { VitConfig } from "../models/vit.js";
import { type CacheFormat, cacheTypes } from "./cacheFormats.js";

/** The name of a numbered input or output: `keys.3`. */
export const numbered = (name: string, i: number): string => `${name}.${i}`;

/** pixels (N, 3, S, S) → tokens, latents, and for each gated block keys.i and values.i (N, h, n, e). */
export function encodeGraph(config: FlamingoConfig): Graph {
  const graph = createGraph("encode");
  const side = config.vision.imageSize;
  const pixels = input(graph, "pixels", "float32", ["N", 3, side, side]);
  const { tokens, latents, media } = encode(params(graph), pixels, config);
  output(graph, "tokens", tokens);
  output(graph, "latents", latents);
  media.forEach(({ keys, values }, i) => {
    output(graph, numbered("keys", i), keys);
    output(graph, numbered("values", i), values);
  });
  return graph;
}

/** New tokens, images and caches → logits of the wanted rows, and the caches with the new tokens in them. */
export const decodeGraph = (config: FlamingoConfig, cacheFormat?: CacheFormat): Graph =>
  writeDecode(config, cacheFormat).graph;

/**
 * The same in stages of as many blocks each, which run one after the other.
 *
 * @param count how many; at most as many as there are blocks
 */
export function decodeStages(
  config: FlamingoConfig,
  count: number,
  cacheFormat?: CacheFormat,
): readonly Graph[] {
  const { graph, blockInputs } = writeDecode(config, cacheFormat);
  const firsts = Array.from({ length: count - 1 }, (_, i) =>
    Math.ceil(((i + 1) * blockInputs.length) / count),
  );
  return cutGraph(
    graph,
    firsts.map((block) => blockInputs[block]!),
  );
}

function writeDecode(
  config: FlamingoConfig,
  cacheFormat: CacheFormat = "fp32",
): { readonly graph: Graph; readonly blockInputs: readonly Tensor[] } {
  const graph = createGraph("decode");
  const { language, crossAttention, perceiver } = config;
  const { heads, headDim } = crossAttention;
  const images = gatedBlocks(config).map((_, i) => {
    const shape = ["images", heads, perceiver.latents, headDim];
    return {
      keys: input(graph, numbered("keys", i), "float32", shape),
      values: input(graph, numbered("values", i), "float32", shape),
    };
  });
  const cached = (name: string, i: number) => {
    const shape = ["b", language.heads, "capacity", language.headDim];
    return input(graph, numbered(name, i), cacheTypes[cacheFormat], shape);
  };
  const scales = (i: number) =>
    input(graph, numbered("pastScales", i), "float32", ["b", 2 * language.heads, language.headDim]);
  const { logits, present, blockInputs } = decode(
    params(graph),
    {
      ids: input(graph, "ids", "int32", ["b", "t"]),
      encodedImages: images,
      imageIds: input(graph, "imageIds", "int32", ["b", "s"]),
      imageIndex: input(graph, "imageIndex", "int32", ["b", "t"]),
      position: input(graph, "position", "float32", ["b", "total"]),
      mask: input(graph, "mask", "float32", ["b", "t", "total"]),
      wanted: input(graph, "wanted", "int32", ["w"]),
      cache: {
        past: Array.from({ length: language.layers }, (_, i) => ({
          keys: cached("pastKeys", i),
          values: cached("pastValues", i),
          ...(cacheFormat === "int8" && { scales: scales(i) }),
        })),
        start: input(graph, "start", "int32", ["b"]),
      },
    },
    config,
  );
  output(graph, "logits", logits);
  present.forEach(({ keys, values, scales }, i) => {
    output(graph, numbered("presentKeys", i), keys);
    output(graph, numbered("presentValues", i), values);
    if (scales) output(graph, numbered("presentScales", i), scales);
  });
  return { graph, blockInputs };
}

/** pixels (N, 3, S, S) → features (N, f) */
export function imageFeaturesGraph(config: VitConfig, width: number): Graph {
  const graph = createGraph("image features");
  const side = config.imageSize;
  const pixels = input(graph, "pixels", "float32", ["N", 3, side, side]);
  output(graph, "features", imageFeatures(params(graph), pixels, config, width));
  return graph;
}

/** ids (b, t) → features (b, f). Without padding: what stands after the end token cannot change them. */
export function textFeaturesGraph(config: ClipTextConfig): Graph {
  const graph = createGraph("text features");
  output(graph, "features", textFeatures(params(graph), input(graph, "ids", "int32", ["b", "t"]), config));
  return graph;
}
