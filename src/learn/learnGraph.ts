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
  createGraph,
  type FormatOf,
  type Graph,
  input,
  multipliedOnly,
  output,
  quantize,
  recompute,
  reshape,
  roundProducts,
  type Segment,
  type Tensor,
  trainRows,
  weight,
  withoutUnused,
} from "../graph/index.js";
import { decode, encodeTokens, type FlamingoConfig } from "../models/flamingo.js";
import { type ParameterSource, params } from "../models/layers.js";
import { crossEntropy } from "../models/loss.js";
import { vit } from "../models/vit.js";
import { addGradients, inputOf, lossOutput, takeOutput } from "./gradients.js";
import { isTrained, placeTensors, type TrainedTensors } from "./trainedTensors.js";
import { wholeRows } from "./wholeRows.js";

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
  const targets = trained.tensors.map((each) => graph.inputs.get(inputOf(each))!);
  const blocks = blocksThatLearn(takeEnds(graph), targets);
  const latents = takeOutput(graph, "latents")!;
  const segments = addGradients(graph, trained, [
    { start: graph.inputs.get("tokens")!, end: latents },
    ...blocks,
  ]);
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
  output(graph, lossName, reshape(takeOutput(graph, lossOutput)!, { shape: [] }));
  return inPrecision(withoutUnused(graph), { precision: options.precision });
}

/** A program's graph, and the names of its weights that are to be rounded to bfloat16 when they are read. */
export interface InPrecision {
  readonly graph: Graph;
  readonly rounded: ReadonlySet<string>;
}

function inPrecision(graph: Graph, { precision, recompute }: LearnOptions): InPrecision {
  if (precision !== "amp_bf16") return { graph, rounded: new Set() };
  const rounded = multipliedOnly(graph);
  return {
    graph: roundProducts(graph, { rounded, forwardEnd: recompute ? lossOutput : undefined }),
    rounded,
  };
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
  const { latents, media } = encodeTokens(p, tokens, config);
  const { logits, blockInputs, blockOutput } = decode(
    p,
    {
      ids,
      encodedImages: media,
      imageIds: input(graph, "imageIds", "int32", ["b", "s"]),
      imageIndex: input(graph, "imageIndex", "int32", ["b", "t"]),
      ...wholeRows(ids),
      wanted: input(graph, "wanted", "int32", ["w"]),
    },
    config,
  );
  const loss = crossEntropy(logits, input(graph, "labels", "int32", ["w"]));
  output(graph, lossOutput, reshape(loss, { shape: [1] }));
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

function takeEnds(graph: Graph): readonly Tensor[] {
  const ends: Tensor[] = [];
  for (let end = takeOutput(graph, endName(0)); end; end = takeOutput(graph, endName(ends.length)))
    ends.push(end);
  return ends;
}
