/**
 * Rotary positions: pairs of numbers of a query or key are turned by an angle that grows with the token's position, so
 * that a product of the two depends on their distance alone.
 *
 * Paper: "RoFormer" (arXiv:2104.09864), Section "Rotary position embedding". Reference: transformers 4.33.3,
 * `GPTNeoXRotaryEmbedding`, `rotate_half` and `apply_rotary_pos_emb`.
 * Sizes: b prompts, t tokens, h heads, e head dimension, r numbers of it that are turned, P positions.
 */
import {
  add,
  cast,
  concat,
  constant,
  gather,
  mul,
  neg,
  reshape,
  slice,
  split,
  type Tensor,
} from "../graph/index.js";

export interface RotaryConfig {
  readonly rotaryDim: number;
  readonly rotaryBase: number;
  /** The longest text, P. */
  readonly contextLength: number;
}

/**
 * @param position float32 (b, t): whole numbers from 0 to P − 1
 * @returns a function that turns the first r numbers of each head: (b, t, h, e) → (b, t, h, e)
 */
export function rotation(
  position: Tensor,
  { rotaryDim: r, rotaryBase, contextLength }: RotaryConfig,
): (x: Tensor) => Tensor {
  const { graph } = position.node;
  const [b, t] = position.shape as [never, never];
  const at = cast(position, { to: "int32" });
  const angles = anglesOf({ rotaryDim: r, rotaryBase, contextLength });
  const ofTokens = (of: (angle: number) => number): Tensor => {
    const table = constant(graph, angles.map(of), { shape: [contextLength, r / 2] });
    const rows = gather(table, at); // (b, t, r/2)
    return reshape(concat([rows, rows], { axis: -1 }), { shape: [b, t, 1, r] });
  };
  const cosines = ofTokens(Math.cos);
  const sines = ofTokens(Math.sin);
  return (x) => {
    const e = x.shape.at(-1) as number;
    const turned = slice(x, { axis: -1, start: 0, end: r });
    const [first, second] = split(turned, { parts: 2, axis: -1 }) as [Tensor, Tensor];
    const crossed = concat([neg(second), first], { axis: -1 }); // a number's partner is half of r away
    const y = add(mul(turned, cosines), mul(crossed, sines)); // (b, t, h, r)
    return r === e ? y : concat([y, slice(x, { axis: -1, start: r, end: e })], { axis: -1 });
  };
}

/** The angle of each position and pair, (P, r/2), rounded to float32 wherever the reference implementation rounds. */
function anglesOf({ rotaryDim: r, rotaryBase, contextLength }: RotaryConfig): readonly number[] {
  const { fround } = Math;
  const speeds = Array.from({ length: r / 2 }, (_, i) =>
    fround(1 / fround(rotaryBase ** fround((2 * i) / r))),
  );
  return Array.from({ length: contextLength }, (_, at) => speeds.map((speed) => fround(at * speed))).flat();
}
