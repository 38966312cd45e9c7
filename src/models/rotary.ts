/**
 * Rotary positions: pairs of numbers of a query or key are turned by an angle that grows with the token's position, so
 * that a product of the two depends on their distance alone.
 *
 * Paper: "RoFormer" (arXiv:2104.09864), Section "Rotary position embedding". Reference: transformers 4.33.3,
 * `GPTNeoXRotaryEmbedding`, `rotate_half` and `apply_rotary_pos_emb`.
 * Sizes: b prompts, t tokens, h heads, e head dimension, r numbers of it that are turned.
 */
import {
  add,
  cast,
  concat,
  constant,
  cos,
  mul,
  neg,
  rearrange,
  sin,
  slice,
  splitInto,
  type Tensor,
} from "../graph/index.js";
import { widthOf } from "./layers.js";

export interface RotaryConfig {
  readonly rotaryDim: number;
  readonly rotaryBase: number;
}

/**
 * @param position float32 (b, t): whole numbers from 0
 * @returns a function that turns the first r numbers of each head: (b, t, h, e) → (b, t, h, e)
 */
export function rotation(
  position: Tensor,
  { rotaryDim: r, rotaryBase }: RotaryConfig,
): (x: Tensor) => Tensor {
  const frequencies = constant(position.node.graph, rotaryFrequencies(r, rotaryBase)); // (r/2)
  const angles = mul(rearrange(position, "b t -> b t ()"), frequencies); // (b, t, r/2), in float32 as in the reference
  // In float64 the functions give the float32 that is nearest, up to 2^24 positions; float32 kernels are off by 1.2e-7.
  const ofAngles = (f: typeof cos) => {
    const values = cast(f(cast(angles, { to: "float64" })), { to: position.dtype });
    return rearrange(concat([values, values], { axis: -1 }), "b t r -> b t () r"); // (b, t, 1, r)
  };
  const [cosines, sines] = [ofAngles(cos), ofAngles(sin)];

  return (x) => {
    const e = widthOf(x);
    const turned = slice(x, { axis: -1, start: 0, end: r }); // (b, t, h, r)
    const [first, second] = splitInto(turned, 2, { axis: -1 });
    const partners = concat([neg(second), first], { axis: -1 }); // (b, t, h, r): a number's partner is r/2 away
    const y = add(mul(turned, cosines), mul(partners, sines)); // (b, t, h, r)
    return r === e ? y : concat([y, slice(x, { axis: -1, start: r, end: e })], { axis: -1 });
  };
}

/**
 * The squares of numbers after turning → the largest that they can be after any other turn: of a pair, those of its
 * length. (b, t, h, e) → (b, t, h, e)
 */
export function largestTurned(squares: Tensor, { rotaryDim: r }: RotaryConfig): Tensor {
  const e = widthOf(squares);
  const [first, second] = splitInto(slice(squares, { axis: -1, start: 0, end: r }), 2, { axis: -1 });
  const ofPairs = add(first, second); // (b, t, h, r/2)
  const rest = r === e ? [] : [slice(squares, { axis: -1, start: r, end: e })];
  return concat([ofPairs, ofPairs, ...rest], { axis: -1 });
}

/** How fast each pair turns, base^(−2i/r) for i = 0 … r/2 − 1, rounded to float32 wherever the reference rounds. */
export function rotaryFrequencies(r: number, base: number): Float32Array {
  const { fround } = Math;
  return Float32Array.from({ length: r / 2 }, (_, i) => 1 / fround(base ** fround((2 * i) / r)));
}
