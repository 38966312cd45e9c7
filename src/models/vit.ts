/**
 * The vision encoder: CLIP's vision transformer, up to the patch tokens that Flamingo looks at.
 *
 * Paper: "An Image is Worth 16x16 Words" (arXiv:2010.11929), Section "Vision Transformer (ViT)", in the pre-norm form
 * of CLIP (arXiv:2103.00020). Reference: open_clip 2.20.0, src/open_clip/transformer.py, `VisionTransformer`.
 * Sizes: N images, S pixels a side, v patches, d hidden size, h heads, e head dimension.
 */
import {
  add,
  attention,
  broadcastTo,
  concat,
  gelu,
  linear as plainLinear,
  quickGelu,
  rearrange,
  slice,
  split,
  type Tensor,
} from "../graph/index.js";
import { layerNorm, linear, type Params, widthOf } from "./layers.js";

export interface VitConfig {
  /** Pixels a side, S. */
  readonly imageSize: number;
  /** Pixels a side of a patch. */
  readonly patchSize: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpRatio: number;
  /** OpenAI's weights want quick GELU, others the exact one. */
  readonly activation: "gelu" | "quickGelu";
}

/**
 * Images → patch tokens: the last block's raw output without the class token, before `ln_post`. Later versions of
 * open_clip normalise these tokens too; the released Flamingos were trained without.
 *
 * @param pixels float32 (N, 3, S, S)
 * @returns (N, v, d), patches row by row
 */
export function vit(p: Params, pixels: Tensor, config: VitConfig): Tensor {
  const x = vitTokens(p, pixels, config);
  return slice(x, { axis: 1, start: 1, end: x.shape[1]! });
}

/** Images → the last block's raw output, the class token first: (N, 3, S, S) → (N, 1 + v, d) */
export function vitTokens(p: Params, pixels: Tensor, config: VitConfig): Tensor {
  const { patchSize, hiddenSize: d, imageSize, layers } = config;
  const N = pixels.shape[0]!;
  const v = (imageSize / patchSize) ** 2;

  // A convolution whose stride is its size is a linear layer over the pixels of each patch.
  const patches = rearrange(pixels, "N c (y p) (x q) -> N (y x) (c p q)", { p: patchSize, q: patchSize }); // (N, v, 3·p·p)
  const kernel = p.tensor("conv1.weight", [d, 3, patchSize, patchSize]);
  const embedded = plainLinear(patches, rearrange(kernel, "d c p q -> d (c p q)"), undefined); // (N, v, d)

  const classToken = broadcastTo(p.tensor("class_embedding", [d]), { shape: [N, 1, d] });
  let x = concat([classToken, embedded], { axis: 1 }); // (N, 1 + v, d)
  x = layerNorm(p.at("ln_pre"), add(x, p.tensor("positional_embedding", [1 + v, d])));
  for (let i = 0; i < layers; i++) {
    x = clipBlock(p.at("transformer").at("resblocks").at(i), x, config);
  }
  return x;
}

/**
 * A block of either of CLIP's towers: x (N, tokens, d) → (N, tokens, d)
 *
 * @param bias what is added to the scores, (tokens, tokens); undefined where every token sees all
 */
export function clipBlock(
  p: Params,
  x: Tensor,
  { heads, mlpRatio, activation }: Pick<VitConfig, "heads" | "mlpRatio" | "activation">,
  bias?: Tensor,
): Tensor {
  const d = widthOf(x);
  const attended = add(x, selfAttention(p.at("attn"), layerNorm(p.at("ln_1"), x), heads, bias));
  const inner = linear(p.at("mlp").at("c_fc"), layerNorm(p.at("ln_2"), attended), Math.trunc(mlpRatio * d), {
    bias: true,
  });
  const active = activation === "quickGelu" ? quickGelu(inner) : gelu(inner);
  return add(attended, linear(p.at("mlp").at("c_proj"), active, d, { bias: true }));
}

/** Reference: torch's `nn.MultiheadAttention`, with one projection for queries, keys and values. */
function selfAttention(p: Params, x: Tensor, heads: number, bias: Tensor | undefined): Tensor {
  const d = widthOf(x);
  const joined = plainLinear(x, p.tensor("in_proj_weight", [3 * d, d]), p.tensor("in_proj_bias", [3 * d])); // (N, tokens, 3·d)
  const [queries, keys, values] = split(joined, { parts: 3, axis: -1 }).map((t) =>
    rearrange(t, "N t (h e) -> N h t e", { h: heads }),
  ) as [Tensor, Tensor, Tensor];
  const y = attention(queries, keys, values, bias, { scale: (d / heads) ** -0.5 }); // (N, h, tokens, e)
  return linear(p.at("out_proj"), rearrange(y, "N h t e -> N t (h e)"), d, { bias: true });
}
