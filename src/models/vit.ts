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
  linear as product,
  quickGelu,
  rearrange,
  sizes,
  slice,
  splitInto,
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
  return slice(x, { axis: 1, start: 1, end: sizes(x, "N tokens d").tokens });
}

/**
 * Images → the last block's raw output, the class token first: (N, 3, S, S) → (N, 1 + v, d)
 *
 * @param choose in training: some of the tokens in place of all, before the first block (N, 1 + v, d) → (N, k, d)
 */
export function vitTokens(
  p: Params,
  pixels: Tensor,
  config: VitConfig,
  choose: (tokens: Tensor) => Tensor = (tokens) => tokens,
): Tensor {
  const { patchSize, hiddenSize: d, imageSize, layers } = config;
  const { N } = sizes(pixels, "N c y x");
  const v = (imageSize / patchSize) ** 2;

  // A convolution whose stride is its size is a linear layer over the pixels of each patch.
  const patches = rearrange(pixels, "N c (y p) (x q) -> N (y x) (c p q)", { p: patchSize, q: patchSize }); // (N, v, 3·p·p)
  const kernel = p.tensor("conv1.weight", [d, 3, patchSize, patchSize]);
  const embedded = product(patches, rearrange(kernel, "d c p q -> d (c p q)"), undefined); // (N, v, d)

  const classToken = broadcastTo(p.tensor("class_embedding", [d]), { shape: [N, 1, d] });
  let x = concat([classToken, embedded], { axis: 1 }); // (N, 1 + v, d)
  x = layerNorm(p.at("ln_pre"), choose(add(x, p.tensor("positional_embedding", [1 + v, d]))));
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
  x = add(x, selfAttention(p.at("attn"), layerNorm(p.at("ln_1"), x), heads, bias));
  x = add(x, feedForward(p.at("mlp"), layerNorm(p.at("ln_2"), x), { mlpRatio, activation }));
  return x;
}

/** (N, tokens, d) → (N, tokens, d). Reference: torch's `nn.MultiheadAttention`. */
function selfAttention(p: Params, x: Tensor, heads: number, bias: Tensor | undefined): Tensor {
  const d = widthOf(x);
  const qkv = product(x, p.tensor("in_proj_weight", [3 * d, d]), p.tensor("in_proj_bias", [3 * d])); // (N, tokens, 3·d)
  const [queries, keys, values] = splitInto(qkv, 3, { axis: -1 }); // (N, tokens, d) each
  const toHeads = (each: Tensor) => rearrange(each, "N t (h e) -> N h t e", { h: heads });
  const scale = (d / heads) ** -0.5;
  const attended = attention(toHeads(queries), toHeads(keys), toHeads(values), bias, { scale }); // (N, h, tokens, e)
  return linear(p.at("out_proj"), rearrange(attended, "N h t e -> N t (h e)"), d, { bias: true });
}

/** (N, tokens, d) → (N, tokens, d) */
function feedForward(
  p: Params,
  x: Tensor,
  { mlpRatio, activation }: Pick<VitConfig, "mlpRatio" | "activation">,
): Tensor {
  const d = widthOf(x);
  const inner = linear(p.at("c_fc"), x, Math.trunc(mlpRatio * d), { bias: true }); // (N, tokens, mlpRatio·d)
  const active = activation === "quickGelu" ? quickGelu(inner) : gelu(inner);
  return linear(p.at("c_proj"), active, d, { bias: true });
}
