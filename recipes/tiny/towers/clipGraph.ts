/**
 * CLIP as it is trained: images and texts to the contrastive loss, and the gradients of both towers.
 *
 * Paper: CLIP (arXiv:2103.00020), Figure 3. Reference: open_clip 2.20.0, src/open_clip/loss.py, `ClipLoss`, and
 * src/training/train.py for the bound of the temperature.
 * Sizes: b images, each with its text, S pixels a side, t tokens, f width of the features, K classes.
 */
import {
  add,
  cast,
  createGraph,
  div,
  equal,
  exp,
  type Graph,
  gather,
  input,
  iota,
  less,
  logSoftmax,
  maskWhere,
  matmul,
  mean,
  mul,
  neg,
  output,
  rearrange,
  reshape,
  sizes,
  slice,
  sub,
  sum,
  type Tensor,
  takeAlongAxis,
  transposeLast,
  where,
} from "../../../src/graph/index.js";
import { lossOutput, trainedParameters } from "../../../src/learn/gradients.js";
import { normalized, pooled, similarity } from "../../../src/models/clip.js";
import { type ClipTextConfig, textFeatures } from "../../../src/models/clipText.js";
import { layerNorm, linear, type Params } from "../../../src/models/layers.js";
import { crossEntropy } from "../../../src/models/loss.js";
import { type VitConfig, vitTokens } from "../../../src/models/vit.js";
import { sliceEarly } from "./sliceEarly.js";
import { type TowerProgram, towerProgram } from "./towerProgram.js";

export interface ClipConfig {
  readonly vision: VitConfig;
  /** Its `features` are those of the images too. */
  readonly text: ClipTextConfig;
}

export interface ClipTraining {
  /** How much the contrastive loss counts; at 0 there is no text tower. Default: 1. */
  readonly contrast?: number | undefined;
  /** An aid: a linear head on the image's features says which of `count` classes it is of. Default: none. */
  readonly classes?: { readonly count: number; readonly weight: number } | undefined;
  /**
   * Another: tokens of patches, which an input names, say of which of the `classes` the thing is that the patch shows
   * most of, and all of an image together, by their mean, of which class the image is. A linear map takes them to where
   * the language model has its words, `width` wide; a class is there what its name is. The contrastive loss looks at the
   * class token alone, a Flamingo at those of the patches, and a resampler that knows nothing yet at their mean; and
   * what connects it to the language model then has one map to learn for all names, and not every name. Default: none.
   */
  readonly patches?: { readonly weight: number; readonly width: number } | undefined;
  /**
   * Whether another image of the batch with the same text is no wrong answer, but none at all. Default: false, as in
   * open_clip, whose batches hardly ever have two.
   */
  readonly ignoreSameTexts?: boolean | undefined;
  /**
   * How many of an image's patches it is learnt from by, which an input names: half of them take half of the time.
   * Paper: "Scaling Language-Image Pre-training via Masking" (arXiv:2212.00794). Default: all.
   */
  readonly keptPatches?: number | undefined;
}

/** What the names of the heads' parameters begin with; they are no part of the model that is written. */
export const aidName = "aid";

/**
 * Inputs: pixels float32 (b, 3, S, S), normalised; ids int32 (b, t), each row with the end token, which has the largest
 * id; with classes, labels int32 (b), −1 for an image of none; with kept patches, kept int32 (b, k), see `keptTokens`;
 * with patches, names float32 (K, w), patch_tokens int32 (n), rows of all kept tokens (b · k), and patch_labels int32 (n),
 * −1 for one that fills.
 * Outputs: the gradients; "contrastive", "classification", "patches" and "means", which is that of all patches of an
 * image, each where it counts, scalars; "loss", their weighted sum.
 */
export function clipGraph(config: ClipConfig, training: ClipTraining = {}): TowerProgram {
  const { contrast = 1, classes, patches, ignoreSameTexts = false, keptPatches: kept } = training;
  const graph = createGraph("clip");
  const { p, named } = trainedParameters(graph);
  const choose = kept === undefined ? undefined : (all: Tensor) => chosen(all, 1 + kept);
  const tokens = tokensOf(p, config, choose); // (b, k, d)
  const images = pooled(p, tokens, config.text.features); // (b, f)
  const parts: Tensor[] = [];
  if (contrast > 0) {
    const ids = input(graph, "ids", "int32", ["b", "t"]);
    const texts = textFeatures(p, ids, config.text); // (b, f)
    const wrong = ignoreSameTexts ? sameTexts(ids) : undefined;
    const loss = contrastiveLoss(similarity(p, normalized(images), normalized(texts)), wrong);
    output(graph, "contrastive", loss);
    parts.push(mul(loss, contrast));
  }
  const labels = classes && input(graph, "labels", "int32", ["b"]);
  if (classes && labels) {
    const loss = classificationLoss(head(p, images, classes.count), labels);
    output(graph, "classification", loss);
    parts.push(mul(loss, classes.weight));
  }
  if (classes && labels && patches) {
    const names = input(graph, "names", "float32", [classes.count, patches.width]); // (K, w)
    const words = wordsOf(p, tokens, patches.width); // (b, k, w)
    const some = gather(rearrange(words, "b k w -> (b k) w"), input(graph, "patch_tokens", "int32", ["n"]));
    const ofPatches = classificationLoss(
      matmul(some, transposeLast(names)),
      input(graph, "patch_labels", "int32", ["n"]),
    );
    const ofMeans = classificationLoss(meanScores(p, words, names), labels);
    for (const [name, loss] of [
      ["patches", ofPatches],
      ["means", ofMeans],
    ] as const) {
      output(graph, name, loss);
      parts.push(mul(loss, patches.weight));
    }
  }
  const loss = parts.reduce((a, b) => add(a, b));
  output(graph, lossOutput, reshape(loss, { shape: [1] }));
  return towerProgram(sliceEarly(graph), named);
}

/**
 * What the image tower says, for an evaluation while it is trained: pixels (b, 3, S, S) → "features" (b, f), of length 1,
 * and with classes "scores" (b, K), by the class token; with `width`, for which there is an input names (K, w), also
 * "means" (b, K), by the patches.
 */
export function imageGraph(config: ClipConfig, classes?: number, width?: number): Graph {
  const graph = createGraph("image features");
  const { p } = trainedParameters(graph);
  const tokens = tokensOf(p, config);
  const images = pooled(p, tokens, config.text.features);
  output(graph, "features", normalized(images));
  if (classes === undefined) return sliceEarly(graph);
  output(graph, "scores", head(p, images, classes));
  if (width !== undefined) {
    const names = input(graph, "names", "float32", [classes, width]);
    output(graph, "means", meanScores(p, wordsOf(p, tokens, width), names));
  }
  return sliceEarly(graph);
}

/** The same of the text tower: ids (b, t) → "features" (b, f), of length 1. */
export function textGraph(config: ClipConfig): Graph {
  const graph = createGraph("text features");
  const { p } = trainedParameters(graph);
  const ids = input(graph, "ids", "int32", ["b", "t"]);
  output(graph, "features", normalized(textFeatures(p, ids, config.text)));
  return graph;
}

/** The logarithm of the largest temperature, to which open_clip cuts it after every step. */
export const largestLogitScale = Math.log(100);

/** To be called behind every step: keeps the temperature, `logit_scale`, within its bounds. */
export function clampLogitScale(logitScale: Float32Array): void {
  logitScale[0] = Math.min(Math.max(logitScale[0]!, 0), largestLogitScale);
}

function tokensOf(p: Params, { vision }: ClipConfig, choose?: (tokens: Tensor) => Tensor): Tensor {
  const side = vision.imageSize;
  const pixels = input(p.graph, "pixels", "float32", ["b", 3, side, side]);
  return vitTokens(p.at("visual"), pixels, vision, choose);
}

/** The k tokens of each image that the input "kept" names: (b, tokens, d) → (b, k, d) */
function chosen(tokens: Tensor, k: number): Tensor {
  const flat = rearrange(tokens, "b t d -> (b t) d");
  return gather(flat, input(tokens.node.graph, "kept", "int32", ["b", k]));
}

const head = (p: Params, features: Tensor, count: number): Tensor =>
  linear(p.at(aidName).at("classes"), features, count, { bias: true });

/** Tokens (b, k, d) → (b, k, w), where the language model has its words. */
function wordsOf(p: Params, tokens: Tensor, width: number): Tensor {
  const aid = p.at(aidName);
  return linear(aid.at("patches"), layerNorm(aid.at("ln_patches"), tokens), width, { bias: true });
}

/**
 * What the patches of an image say together: words (b, k, w), whose first is the class token's and does not count, names
 * (K, w) → (b, K). Patches that show nothing weaken the mean, which a factor makes good.
 */
function meanScores(p: Params, words: Tensor, names: Tensor): Tensor {
  const { k } = sizes(words, "b k w");
  const together = mean(slice(words, { axis: 1, start: 1, end: k }), { axes: [1] }); // (b, w)
  const factor = exp(p.at(aidName).tensor("log_factor", [1]));
  return matmul(mul(together, factor), transposeLast(names));
}

/**
 * Images find their texts and texts their images: logits (b, b) → a scalar.
 *
 * @param wrong what is added to the logits of pairs that are no wrong answers, (b, b)
 */
function contrastiveLoss(logits: Tensor, wrong: Tensor | undefined): Tensor {
  const { b } = sizes(logits, "b c");
  const own = iota(logits.node.graph, b); // (b)
  const scores = wrong ? add(logits, wrong) : logits;
  return mul(add(crossEntropy(scores, own), crossEntropy(transposeLast(scores), own)), 0.5);
}

/** Masks pairs of different places whose texts are the same: ids (b, t) → (b, b) */
function sameTexts(ids: Tensor): Tensor {
  const { b } = sizes(ids, "b t");
  const isOther = equal(rearrange(ids, "b t -> b () t"), rearrange(ids, "b t -> () b t")); // (b, b, t)
  const others = sum(sub(1, cast(isOther, { to: "float32" })), { axes: [-1] }); // tokens that differ
  const places = cast(iota(ids.node.graph, b), { to: "float32" });
  const isSelf = equal(rearrange(places, "b -> b ()"), places); // (b, b)
  return maskWhere(less(add(others, cast(isSelf, { to: "float32" })), 0.5));
}

/** The mean over those that are of a class: scores (n, K), labels (n) → a scalar, 0 if there are none. */
function classificationLoss(scores: Tensor, labels: Tensor): Tensor {
  // Nothing is found at −1.
  const found = sum(takeAlongAxis(logSoftmax(scores, { axis: -1 }), labels), { axes: [0] });
  const count = sum(sub(1, cast(less(labels, 0), { to: "float32" })), { axes: [0] });
  return neg(div(found, where(less(count, 1), 1, count)));
}
