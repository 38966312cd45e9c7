/**
 * What resampler and gated cross-attention begin with: ways from an image to words that are known already, where random
 * connectors would look for them through seven layers.
 *
 * The resampler begins as the mean of the patches, to which its latents are added; but the first latent is *empty*: it
 * says nothing of the image, and who looks at it adds nothing.
 *
 * Gated cross-attention begins as linear maps of that mean, which were learnt over one vector of each image
 * (`linearConnectors`): heads look at everything alike, but for how much of their attention the empty latent has.
 */
import { elementCount } from "../../../src/base/dtypes.js";
import { randomStream } from "../../../src/base/random.js";
import { initialConnectors } from "../../../src/learn/initialConnectors.js";
import { type FlamingoConfig, gatedBlocks } from "../../../src/models/flamingo.js";
import type { FloatTensor, FloatTensors } from "../../../src/runs/runState.js";
import { namesOfBlock } from "./linearConnectors.js";

/** Of patches of width d and words of width w. */
export interface LinearStart {
  /** The parameters of `linearConnectors`, by their names. */
  readonly maps: FloatTensors;
  /** The language model's, (vocabulary, w), with that of `<image>`. */
  readonly embedding: FloatTensor;
}

const openGate = 0.5;
/** Of the latents, in place of 1, so that they do not hide the mean. */
const latentsDeviation = 0.2;
/** Of the empty latent, so that what the layers add to it is nothing beside it; in float16 too. */
const emptyLength = 50_000;

/**
 * How many maps a gated block can be: as many as its heads together have room for.
 *
 * @throws Error where the width of the patches does not divide that of the heads together, or that of one head not it
 */
export function mapsOfBlock({
  vision: { hiddenSize: d },
  crossAttention: { heads, headDim },
}: FlamingoConfig): number {
  const inner = heads * headDim;
  if (inner % d === 0 && d % headDim === 0) return inner / d;
  throw new Error(`patches ${d} wide do not fit evenly into ${heads} heads of ${headDim}`);
}

/**
 * @param seed of all other numbers, which begin as `--from-scratch` has them
 * @returns the tensors of a checkpoint, the language model's embedding among them
 * @throws Error as `mapsOfBlock`
 */
export async function connectorsStart(
  config: FlamingoConfig,
  { maps, embedding }: LinearStart,
  seed: number,
): Promise<FloatTensors> {
  mapsOfBlock(config);
  const start = await fromScratch(config, seed);
  const empty = emptyDirection(config.vision.hiddenSize, seed);
  setResampler(start, config, empty);
  for (const i of gatedBlocks(config)) {
    const block = `lang_encoder.${config.language.blocks}.${i}.gated_cross_attn_layer`;
    const names = namesOfBlock(i);
    const of = (name: string) => maps.get(name)!.data;
    setBlock(start, block, {
      norm: [of(names.weight), of(names.bias)],
      gates: of(names.gates),
      maps: of(names.maps),
      ...{ empty, config },
    });
  }
  start.set(`lang_encoder.${config.language.embedding}`, embedding);
  return start;
}

async function fromScratch(config: FlamingoConfig, seed: number): Promise<Map<string, FloatTensor>> {
  const fresh = initialConnectors(config, seed);
  const start = new Map<string, FloatTensor>();
  for (const [name, { shape }] of fresh.tensors) {
    const data = new Float32Array(elementCount(shape));
    await fresh.read(name, data);
    start.set(name, { shape, data });
  }
  return start;
}

/** That of the empty latent: by lot, of length 1 and mean 0, so that a norm leaves it as it is. */
export function emptyDirection(d: number, seed: number): Float32Array {
  const { normal } = randomStream(seed, "the empty latent");
  const direction = Float32Array.from({ length: d }, (_, i) => normal(i));
  const mean = direction.reduce((sum, value) => sum + value, 0) / d;
  const length = Math.hypot(...direction.map((value) => value - mean));
  return direction.map((value) => (value - mean) / length);
}

/** What rows (n, d) have along a direction (d) of length 1 is taken out of them, in their memory. */
export function removeDirection(rows: Float32Array, direction: Float32Array): void {
  const d = direction.length;
  for (let at = 0; at < rows.length; at += d) {
    const row = rows.subarray(at, at + d);
    const along = row.reduce((sum, value, i) => sum + value * direction[i]!, 0);
    for (let i = 0; i < d; i++) row[i]! -= along * direction[i]!;
  }
}

type Start = ReadonlyMap<string, FloatTensor>;

/** Makes the resampler the mean of all patches but what they have of the empty direction. */
function setResampler(
  start: Start,
  { perceiver, vision: { hiddenSize: d } }: FlamingoConfig,
  empty: Float32Array,
): void {
  const of = (name: string) => start.get(`perceiver.${name}`)!.data;
  const latents = of("latents");
  removeDirection(latents, empty);
  for (let row = 1; row < perceiver.latents; row++) {
    const own = latents.subarray(row * d, (row + 1) * d);
    // Each but the last has one that is its opposite, so that together they hide nothing.
    if (row % 2 === 0) own.set(latents.subarray((row - 1) * d, row * d).map((value) => -value));
    else if (row === perceiver.latents - 1) own.fill(0);
    else own.set(own.map((value) => latentsDeviation * value));
  }
  latents.set(empty.map((value) => emptyLength * value));
  for (let i = 0; i < perceiver.depth; i++) {
    const [toKv, toOut] = [of(`layers.${i}.0.to_kv.weight`), of(`layers.${i}.0.to_out.weight`)];
    of(`layers.${i}.0.to_q.weight`).fill(0); // latents look at everything alike
    const inner = toKv.length / d / 2;
    const share = Math.sqrt(d / inner); // of the tokens there are inner / d copies, which together are the mean once
    setValues(toKv, d, share);
    for (let row = 0; row < d; row++) {
      for (let r = 0; r < inner; r++) {
        const isOwn = row === r % d ? 1 : 0;
        toOut[row * inner + r] = share * (isOwn - empty[row]! * empty[r % d]!);
      }
    }
    of(`layers.${i}.1.3.weight`).fill(0); // the feed-forward layer adds nothing yet
  }
}

/** Makes values so much of the tokens themselves, as often as heads have room for them. */
function setValues(toKv: Float32Array, d: number, share = 1): void {
  const inner = toKv.length / d / 2; // h·e
  toKv.fill(0, inner * d);
  for (let r = 0; r < inner; r++) toKv[(inner + r) * d + (r % d)] = share;
}

interface Block {
  /** The weight and the bias (w). */
  readonly norm: readonly [Float32Array, Float32Array];
  /** (g, w) and (g·w, d) */
  readonly gates: Float32Array;
  readonly maps: Float32Array;
  readonly empty: Float32Array;
  readonly config: FlamingoConfig;
}

/**
 * Makes a gated block the maps of the mean, each as far as its gate lets it: the first query of a head and the empty
 * latent's key say how much of the attention the empty latent has, whose value is nothing.
 */
function setBlock(start: Start, block: string, { norm, gates, maps, empty, config }: Block): void {
  const of = (name: string) => start.get(`${block}.${name}`)!.data;
  const { headDim } = config.crossAttention;
  const [d, w] = [config.vision.hiddenSize, config.language.hiddenSize];
  const [toQ, toKv, toOut] = [of("attn.to_q.weight"), of("attn.to_kv.weight"), of("attn.to_out.weight")];
  const [weight, bias] = [of("attn.norm.weight"), of("attn.norm.bias")];
  weight.set(norm[0]);
  bias.set(norm[1]);
  const inner = toKv.length / d / 2;
  setValues(toKv, d);
  removeDirection(toKv.subarray(0, inner * d), empty);
  toQ.fill(0); // all other queries say nothing yet
  for (let row = 0; row < inner; row += headDim) {
    const gate = gates.subarray(Math.floor(row / d) * w, (Math.floor(row / d) + 1) * w);
    toQ.set(
      gate.map((value) => -value),
      row * w,
    );
    toKv.set(
      empty.map((value) => value * Math.sqrt(headDim / d)),
      row * d,
    );
  }
  for (let row = 0; row < w; row++) {
    for (let r = 0; r < inner; r += d) {
      const map = maps.slice(((r / d) * w + row) * d, ((r / d) * w + row + 1) * d);
      removeDirection(map, empty);
      toOut.set(
        map.map((value) => value / Math.tanh(openGate)),
        row * inner + r,
      );
    }
  }
  of("attn_gate").fill(openGate);
}
