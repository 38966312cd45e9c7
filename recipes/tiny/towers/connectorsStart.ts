/**
 * What resampler and gated cross-attention begin with: the way from an image to a word that the image encoder's training
 * has found already.
 *
 * There a linear map takes patches to where the language model has its words (`patches` of `ClipTraining`). The resampler
 * begins as the mean of the patches, to which its latents are added; the attention of the last gated block begins with
 * that map for its values, and an open gate: what an image shows is said at once, everywhere, and where it is to be said
 * is left to learn. All other gates are shut, as in Flamingo: what is behind them would only disturb it.
 */
import { elementCount } from "../../../src/base/dtypes.js";
import { initialConnectors } from "../../../src/learn/initialConnectors.js";
import type { FlamingoConfig } from "../../../src/models/flamingo.js";
import type { FloatTensor, FloatTensors } from "../../../src/runs/runState.js";
import { aidName } from "./clipGraph.js";

const openGate = 0.5;
/** Of the latents, in place of 1, so that they do not hide the mean. */
const latentsDeviation = 0.5;
/** How much more than its word the language model is told of a patch. */
const strength = 3;

/**
 * @param aids the heads of CLIP's training: patches of width d to words of width w, d a divisor of h·e
 * @param seed of all other numbers, which begin as `--from-scratch` has them
 */
export async function connectorsStart(
  config: FlamingoConfig,
  aids: FloatTensors,
  seed: number,
): Promise<FloatTensors> {
  const fresh = initialConnectors(config, seed);
  const start = new Map<string, FloatTensor>();
  for (const [name, { shape }] of fresh.tensors) {
    const data = new Float32Array(elementCount(shape));
    await fresh.read(name, data);
    start.set(name, { shape, data });
  }
  const of = (name: string) => start.get(name)!.data;
  const [, d] = start.get("perceiver.latents")!.shape as [number, number];
  const same = Float32Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? 1 : 0));

  of("perceiver.latents").forEach((value, i, all) => {
    all[i] = latentsDeviation * value;
  });
  for (let i = 0; i < config.perceiver.depth; i++) {
    const layer = `perceiver.layers.${i}`;
    setMap(of(`${layer}.0.to_kv.weight`), of(`${layer}.0.to_out.weight`), same, d);
    of(`${layer}.1.3.weight`).fill(0); // the feed-forward layer adds nothing yet
  }
  const last = [...start.keys()].findLast((name) =>
    name.endsWith("gated_cross_attn_layer.attn.to_kv.weight"),
  )!;
  const [matrix, norm] = ["patches.weight", "ln_patches.weight"].map(
    (n) => aids.get(`${aidName}.${n}`)!.data,
  );
  const toWords = matrix!.map((value, i) => strength * value * norm![i % d]!);
  setMap(of(last), of(last.replace("to_kv", "to_out")), toWords, d);
  of(last.replace("attn.to_kv.weight", "attn_gate")).fill(openGate);
  return start;
}

/**
 * Makes an attention that looks everywhere alike a linear map of the mean: the values of its heads, one after the other,
 * are the tokens as often as they have room for them, and what comes out is the map of their mean.
 *
 * @param toKv (2·h·e, d), h·e a multiple of d
 * @param toOut (n, h·e)
 * @param map (n, d)
 */
function setMap(toKv: Float32Array, toOut: Float32Array, map: Float32Array, d: number): void {
  const inner = toKv.length / d / 2; // h·e
  const share = Math.sqrt(d / inner);
  toKv.fill(0, inner * d);
  for (let r = 0; r < inner; r++) toKv[(inner + r) * d + (r % d)] = share;
  for (let i = 0; i < toOut.length; i++) {
    const [row, r] = [Math.floor(i / inner), i % inner];
    toOut[i] = share * map[row * d + (r % d)]!;
  }
}
