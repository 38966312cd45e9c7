/**
 * CLIP's text tower: a text in, one feature vector out.
 *
 * Paper: CLIP (arXiv:2103.00020), Section "Choosing and Scaling a Model". Reference: open_clip 2.20.0,
 * src/open_clip/model.py, `CLIP.encode_text`.
 * Sizes: b texts, t tokens, d hidden size, f width of the features that texts and images share.
 */
import {
  add,
  cast,
  type Dim,
  equal,
  type Graph,
  gather,
  iota,
  less,
  MASK_VALUE,
  maskWhere,
  matmul,
  max,
  neg,
  rearrange,
  sizes,
  slice,
  sum,
  type Tensor,
  where,
} from "../graph/index.js";
import { layerNorm, type Params } from "./layers.js";
import { clipBlock, type VitConfig } from "./vit.js";

export interface ClipTextConfig {
  /** The longest text, in tokens. */
  readonly contextLength: number;
  readonly vocabulary: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpRatio: number;
  readonly activation: VitConfig["activation"];
  /** f */
  readonly features: number;
}

/**
 * @param ids int32 (b, t), each row with the end token, which has the largest id
 * @returns (b, f), not normalised
 */
export function textFeatures(p: Params, ids: Tensor, config: ClipTextConfig): Tensor {
  return matmul(textAtEnd(p, ids, config), p.tensor("text_projection", [config.hiddenSize, config.features]));
}

/** What the tower says at the end token of each text: ids int32 (b, t) → (b, d) */
export function textAtEnd(p: Params, ids: Tensor, config: ClipTextConfig): Tensor {
  const { contextLength, vocabulary, hiddenSize: d, layers } = config;
  const { t } = sizes(ids, "b t");
  const positions = slice(p.tensor("positional_embedding", [contextLength, d]), {
    axis: 0,
    start: 0,
    end: t,
  });
  const causal = causalMask(ids.node.graph, t);

  let x = add(gather(p.at("token_embedding").tensor("weight", [vocabulary, d]), ids), positions); // (b, t, d)
  for (let i = 0; i < layers; i++) {
    x = clipBlock(p.at("transformer").at("resblocks").at(i), x, config, causal);
  }
  const isEnd = equal(iota(ids.node.graph, t), firstLargest(ids)); // (b, t)
  const normed = layerNorm(p.at("ln_final"), x);
  return sum(where(rearrange(isEnd, "b t -> b t ()"), normed, 0), { axes: [1] }); // (b, d)
}

/** 0 where a token may look, −1e30 at what is ahead of it: (t, t) */
export function causalMask(graph: Graph, t: Dim): Tensor {
  return maskWhere(less(rearrange(iota(graph, t), "t -> t ()"), iota(graph, t)));
}

/** Where each row's largest id stands first: int32 (b, t) → (b, 1) */
function firstLargest(ids: Tensor): Tensor {
  const values = cast(ids, { to: "float32" }); // exact up to 2^24
  const isLargest = equal(values, max(values, { axes: [-1], keep: true }));
  const before = neg(cast(iota(ids.node.graph, sizes(ids, "b t").t), { to: "float32" }));
  const first = neg(max(where(isLargest, before, MASK_VALUE), { axes: [-1], keep: true }));
  return cast(first, { to: "int32" });
}
