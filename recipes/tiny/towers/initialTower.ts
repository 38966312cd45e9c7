/**
 * What towers begin with: the values that open_clip and MosaicML's code give new models, by name and seed; and two
 * starts that know more, of positions and of the embedding of patches.
 */
import { elementCount } from "../../../src/base/dtypes.js";
import { type RandomStream, randomStream } from "../../../src/base/random.js";
import { aidName, type ClipConfig } from "./clipGraph.js";
import { sinusoids, sinusoids2d } from "./sinusoids.js";

/** A parameter's first values. */
export type Initial = (name: string, shape: readonly number[]) => Float32Array;

type Draw = (random: RandomStream) => (i: number) => number;
const normal =
  (deviation: number): Draw =>
  (random) =>
  (i) =>
    deviation * random.normal(i);
const uniform =
  (bound: number): Draw =>
  (random) =>
  (i) =>
    bound * (2 * random.uniform(i) - 1);
const constant =
  (value: number): Draw =>
  () =>
  () =>
    value;

function drawn(name: string, shape: readonly number[], seed: number, draw: Draw): Float32Array {
  const values = new Float32Array(elementCount(shape));
  const value = draw(randomStream(seed, `initial values of ${name}`));
  for (let i = 0; i < values.length; i++) values[i] = value(i);
  return values;
}

export interface ClipStart {
  /** A whole number from 0 to 2^53 − 1. */
  readonly seed: number;
  readonly config: ClipConfig;
  /**
   * Positions begin as sines and cosines of this root mean square, of the patch's place in the image and of the token's in
   * the text; random when left out, as in open_clip. Those of open_clip have d^−½ and 0.01.
   */
  readonly sinusoidalPositions?: { readonly vision?: number; readonly text?: number } | undefined;
  /** The embedding of patches, (d, 3·p·p) row by row, as from `principalPatches`; random when left out. */
  readonly patchEmbedding?: Float32Array | undefined;
}

/**
 * CLIP as open_clip begins it, and a linear head as PyTorch begins one.
 *
 * Reference: open_clip 2.20.0, src/open_clip/transformer.py, `VisionTransformer` and `TextTransformer.init_parameters`,
 * model.py for the temperature, 1/0.07; elsewhere PyTorch's own: `nn.Linear` and `nn.Conv2d` are uniform within ±1/√n for
 * n inputs, with their biases; the joint matrix of `nn.MultiheadAttention` is uniform within ±√(6/(n + m)), its biases
 * are 0. Norms begin with 1 and 0.
 */
export function initialClip({ seed, config, sinusoidalPositions = {}, patchEmbedding }: ClipStart): Initial {
  return (name, shape) => {
    const positions = sinusoidalPositions[name.startsWith("visual.") ? "vision" : "text"];
    if (name.endsWith("positional_embedding") && positions !== undefined) {
      return scaled(
        name.startsWith("visual.") ? sinusoids2d(shape) : sinusoids(shape),
        positions * Math.SQRT2,
      );
    }
    if (name === "visual.conv1.weight" && patchEmbedding) return patchEmbedding.slice();
    return drawn(name, shape, seed, clipDraw(name, shape, config));
  };
}

function clipDraw(name: string, shape: readonly number[], { vision, text }: ClipConfig): Draw {
  const isVision = name.startsWith("visual.");
  const { hiddenSize: d, layers, mlpRatio } = isVision ? vision : text;
  const ofInputs = (inputs: number) => uniform(inputs ** -0.5);
  if (/(^|\.)ln_\w+\.weight$/.test(name)) return constant(1);
  if (/(^|\.)ln_\w+\.bias$|in_proj_bias$|out_proj\.bias$/.test(name)) return constant(0);
  if (name === "logit_scale") return constant(Math.log(1 / 0.07));
  if (name === `${aidName}.log_factor`) return constant(0);
  // A bias has the bound of its matrix.
  if (name.endsWith("c_fc.bias")) return ofInputs(d);
  if (name.endsWith("c_proj.bias")) return ofInputs(Math.trunc(mlpRatio * d));
  if (name.startsWith(`${aidName}.`))
    return ofInputs(name.includes(".classes.") ? text.features : vision.hiddenSize);
  if (isVision) {
    if (/(embedding|proj)$/.test(name)) return normal(d ** -0.5);
    if (name.endsWith("in_proj_weight")) return uniform(Math.sqrt(6 / (4 * d)));
    return ofInputs(elementCount(shape.slice(1)));
  }
  if (name === "token_embedding.weight") return normal(0.02);
  if (name === "positional_embedding") return normal(0.01);
  if (/(out_proj|c_proj)\.weight$/.test(name)) return normal((d * 2 * layers) ** -0.5);
  if (name.endsWith("c_fc.weight")) return normal((2 * d) ** -0.5);
  return normal(d ** -0.5); // the joint matrix of attention, and the projection
}

/**
 * MPT as its own code begins it: matrices and the embedding are normal with a variance of 2/n for n inputs, those that
 * end in a sum divided by √(2 · layers); norms begin with 1.
 *
 * Reference: the hub's code of mosaicml/mpt-7b, `param_init_fns.py`, `kaiming_normal_` with `init_div_is_residual`.
 *
 * @param seed a whole number from 0 to 2^53 − 1
 */
export function initialMpt({ seed, layers }: { seed: number; layers: number }): Initial {
  return (name, shape) => {
    if (shape.length === 1) return drawn(name, shape, seed, constant(1));
    const isResidual = /(out_proj|down_proj)\.weight$/.test(name);
    const deviation = Math.sqrt(2 / shape[1]!) / (isResidual ? Math.sqrt(2 * layers) : 1);
    return drawn(name, shape, seed, normal(deviation));
  };
}

const scaled = (values: Float32Array, by: number): Float32Array => values.map((x) => x * by);
