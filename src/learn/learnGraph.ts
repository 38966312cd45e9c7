/**
 * The program that learns: from images' tokens and text to the loss, and the gradients of what is trained, added to
 * what was there before. Frozen parts have no gradients of weights, and may be in few bits: a gradient that passes
 * through them passes through the product with the numbers that the bits stand for.
 *
 * One program serves both kinds of data, which are rows of text with images; a step runs it for one after the other, as
 * the reference implementation does. The vision encoder, frozen and before all that is trained, is a program of its own,
 * so that its tokens can be kept for data that is seen again.
 * Sizes: N images, v patches, b rows, t tokens, s images of a row, w tokens that are learnt, d hidden size.
 */
import {
  add,
  cast,
  createGraph,
  type FormatOf,
  type Graph,
  grad,
  input,
  iota,
  less,
  maskWhere,
  mul,
  multipliedOnly,
  type Node,
  output,
  quantize,
  rearrange,
  recompute,
  reshape,
  roundProducts,
  rowsName,
  type Segment,
  sizes,
  type Tensor,
  trainRows,
  weight,
  withoutUnused,
} from "../graph/index.js";
import { decode, encodeTokens, type FlamingoConfig } from "../models/flamingo.js";
import { type ParameterSource, params } from "../models/layers.js";
import { crossEntropy } from "../models/loss.js";
import { vit } from "../models/vit.js";
import { isTrained, placeTensors, type TrainedTensors } from "./trainedTensors.js";

/** In which numbers products are made: see `roundProducts`. */
export type Precision = "fp32" | "amp_bf16";

export interface LearnOptions {
  /** The rows of the input embedding that are trained, ascending; none when left out. */
  readonly embeddingRows?: readonly number[] | undefined;
  readonly precision?: Precision | undefined;
  /** Whether blocks are computed again for their gradients rather than kept. */
  readonly recompute?: boolean | undefined;
  /** The formats of frozen matrices; float32 when left out. */
  readonly formatOf?: FormatOf | undefined;
}

export interface LearnGraph extends InPrecision {
  readonly trained: TrainedTensors;
}

/** The name of the input and of the output in which the gradients of a trained tensor add up. */
export const gradientName = (name: string): string => `gradient of ${name}`;
export const nextGradientName = (name: string): string => `next gradient of ${name}`;

/** The name of the graph's input for a trained tensor. */
export const inputOf = ({ name, rows }: { name: string; rows?: readonly number[] | undefined }): string =>
  rows ? rowsName(name) : name;

/** pixels (N, 3, S, S) → tokens (N, v, dv) */
export function visionGraph(
  config: FlamingoConfig,
  options: Pick<LearnOptions, "precision" | "formatOf">,
): InPrecision {
  const graph = createGraph("vision encoder");
  const side = config.vision.imageSize;
  const pixels = input(graph, "pixels", "float32", ["N", 3, side, side]);
  output(graph, "tokens", vit(params(graph).at("vision_encoder"), pixels, config.vision));
  return inPrecision(options.formatOf ? quantize(graph, options.formatOf) : graph, {
    precision: options.precision,
  });
}

/**
 * Inputs: tokens (N, v, dv); ids (b, t); imageIds (b, s) and imageIndex (b, t), as in `decode`; wanted (w), the tokens of
 * the flattened rows whose next token is to be learnt, and labels (w), the ids of those; scale (1), of the gradients; the
 * trained tensors; the gradients so far. Outputs: loss (), not scaled; the gradients with those of this run, in the
 * memory of the ones so far.
 */
export function learnGraph(config: FlamingoConfig, options: LearnOptions = {}): LearnGraph {
  const { embeddingRows } = options;
  const embedding = embeddingOf(config);
  const graph = forwardGraph(config, options);

  const names = [...graph.inputs.keys()].filter(isTrained);
  const trained = placeTensors([
    ...names.map((name) => ({ name, shape: shapeOf(graph.inputs.get(name)!) })),
    ...(embeddingRows
      ? [{ name: embedding, rows: embeddingRows, shape: [embeddingRows.length, config.language.hiddenSize] }]
      : []),
  ]);
  const count = graph.nodes.length;
  const loss = reshape(mul(graph.outputs.get("loss")!, input(graph, "scale", "float32", [1])), { shape: [] });
  const targets = trained.tensors.map((each) => graph.inputs.get(inputOf(each))!);
  const blocks = blocksThatLearn(takeEnds(graph), targets);
  const latents = takeOutput(graph, "latents")!;
  const parts = [{ start: graph.inputs.get("tokens")!, end: latents }, ...blocks];
  const found = grad(loss, [...targets, ...parts.map(({ end }) => end)]);
  const segments = parts.map((each, i) => ({ ...each, endGradient: found[targets.length + i]! }));
  giveGradients(graph, trained, found, segments);
  const kept = options.recompute ? recompute(graph, count, segments) : graph;
  return { ...inPrecision(kept, options), trained };
}

/** The output of `lossGraph`. */
export const lossName = "loss of a batch";

/** The loss alone, of data that are not trained on: the inputs of `learnGraph` but for scale and gradients. */
export function lossGraph(config: FlamingoConfig, options: LearnOptions = {}): InPrecision {
  const graph = forwardGraph(config, options);
  takeEnds(graph);
  takeOutput(graph, "latents");
  output(graph, lossName, reshape(takeOutput(graph, "loss")!, { shape: [] }));
  return inPrecision(withoutUnused(graph), { precision: options.precision });
}

/**
 * The outputs, those that are known last first, and the loss at the end: a backend begins with what stands last, and does
 * on the way only what that needs. So the gradients of a block's weights are made, and what they are made of is let go,
 * before the gradients of earlier blocks; in the other order all of it would be kept until the end.
 */
function giveGradients(
  graph: Graph,
  { tensors }: TrainedTensors,
  gradients: readonly Tensor[],
  segments: readonly Segment[],
): void {
  /** The last of the segments' gradients that a node needs, by its number. */
  const needs = new Map<Node, number>();
  const ends = new Set(segments.map(({ endGradient }) => endGradient.node));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((each) => (each ? (needs.get(each.node) ?? 0) : 0));
    needs.set(node, ends.has(node) ? node.id : Math.max(0, ...inputs));
  }
  const inOrder = tensors
    .map((tensor, i) => ({ ...tensor, gradient: gradients[i]! }))
    .sort(
      ({ gradient: { node: a } }, { gradient: { node: b } }) => needs.get(b)! - needs.get(a)! || b.id - a.id,
    );
  for (const { name, shape, gradient } of inOrder) {
    const before = input(graph, gradientName(name), "float32", shape);
    output(graph, nextGradientName(name), add(before, gradient), { into: gradientName(name) });
  }
  output(graph, "loss", reshape(takeOutput(graph, "loss")!, { shape: [] }));
}

/** A program's graph, and the names of its weights that are to be rounded to bfloat16 when they are read. */
export interface InPrecision {
  readonly graph: Graph;
  readonly rounded: ReadonlySet<string>;
}

function inPrecision(graph: Graph, { precision, recompute }: LearnOptions): InPrecision {
  if (precision !== "amp_bf16") return { graph, rounded: new Set() };
  const rounded = multipliedOnly(graph);
  return { graph: roundProducts(graph, { rounded, forwardEnd: recompute ? "loss" : undefined }), rounded };
}

const trainedOrFrozen: ParameterSource = (graph, name, shape) =>
  isTrained(name) ? input(graph, name, "float32", shape) : weight(graph, name, shape);

const shapeOf = ({ shape }: Tensor) => shape as readonly number[];

/** What goes into the language model's blocks and comes out of the last, as outputs that rewrites carry along. */
const endName = (i: number) => `end.${i}`;

const embeddingOf = ({ language }: FlamingoConfig): string => `lang_encoder.${language.embedding}`;

function forwardGraph(config: FlamingoConfig, { embeddingRows, formatOf }: LearnOptions): Graph {
  const forward = plainForwardGraph(config);
  const withRows = embeddingRows ? trainRows(forward, embeddingOf(config), embeddingRows) : forward;
  return formatOf ? quantize(withRows, formatOf) : withRows;
}

function plainForwardGraph(config: FlamingoConfig): Graph {
  const graph = createGraph("learn");
  const { hiddenSize, imageSize, patchSize } = config.vision;
  const ids = input(graph, "ids", "int32", ["b", "t"]);
  const tokens = input(graph, "tokens", "float32", ["N", (imageSize / patchSize) ** 2, hiddenSize]);
  const p = params(graph, "", trainedOrFrozen);
  const { t } = sizes(ids, "b t");
  // Rows are filled up on the right, so that tokens stand at the same positions in all of them.
  const position = cast(rearrange(iota(graph, t), "t -> () t"), { to: "float32" }); // (1, t)
  const ahead = less(rearrange(position, "b t -> b t ()"), rearrange(position, "b t -> b () t")); // (1, t, t)
  const { latents, media } = encodeTokens(p, tokens, config);
  const { logits, blockInputs, blockOutput } = decode(
    p,
    {
      ids,
      encodedImages: media,
      imageIds: input(graph, "imageIds", "int32", ["b", "s"]),
      imageIndex: input(graph, "imageIndex", "int32", ["b", "t"]),
      position,
      mask: maskWhere(ahead),
      wanted: input(graph, "wanted", "int32", ["w"]),
    },
    config,
  );
  const loss = crossEntropy(logits, input(graph, "labels", "int32", ["w"]));
  output(graph, "loss", reshape(loss, { shape: [1] }));
  output(graph, "latents", latents);
  [...blockInputs, blockOutput].forEach((end, i) => {
    output(graph, endName(i), end);
  });
  return graph;
}

/** Start and end of each block whose result depends on what is trained: gradients go no further down. */
function blocksThatLearn(
  ends: readonly Tensor[],
  trained: readonly Tensor[],
): readonly Omit<Segment, "endGradient">[] {
  const learns = new Set(trained.map(({ node }) => node));
  for (const node of trained[0]?.node.graph.nodes ?? []) {
    if (node.inputs.some((each) => each && learns.has(each.node))) learns.add(node);
  }
  return ends.slice(1).flatMap((end, i) => (learns.has(end.node) ? [{ start: ends[i]!, end }] : []));
}

/** A tensor that a graph was given as an output, which it is no longer. */
function takeOutput({ outputs }: Graph, name: string): Tensor | undefined {
  const tensor = outputs.get(name);
  outputs.delete(name);
  return tensor;
}

function takeEnds(graph: Graph): readonly Tensor[] {
  const ends: Tensor[] = [];
  for (let end = takeOutput(graph, endName(0)); end; end = takeOutput(graph, endName(ends.length)))
    ends.push(end);
  return ends;
}
