/**
 * What resampler and gated cross-attention begin with: two ways from an image to a word that are known already, where
 * random connectors would look for them through seven layers.
 *
 * The resampler begins as the mean of the patches, to which its latents are added; but the first latent is *empty*: it
 * says nothing of the image, and who looks at it adds nothing.
 *
 * *Reading*, in the first gated block: where `<image>` stands in a text, the language model is given what it would read
 * if the name stood there, the embedding of the name. All that it knows about words it can then do with images, such as
 * saying a new name again. Every other token looks at the empty latent. How a query knows `<image>`: its embedding begins
 * as a direction that no word has.
 *
 * *Naming*, in the last gated block: the word that the patches show is made likely, everywhere. Where it is to be said is
 * left to learn.
 *
 * All other gates are shut, as in Flamingo: what is behind them would only disturb it.
 */
import { elementCount } from "../../../src/base/dtypes.js";
import { randomStream } from "../../../src/base/random.js";
import { initialConnectors } from "../../../src/learn/initialConnectors.js";
import type { FlamingoConfig } from "../../../src/models/flamingo.js";
import type { FloatTensor, FloatTensors } from "../../../src/runs/runState.js";
import { wordlessDirection } from "./wordlessDirection.js";

/** Of patches of width d and words of width w. */
export interface KnownMaps {
  /** (w, d): its product with a name's embedding is how much a patch shows of it. */
  readonly naming: Float32Array;
  /** (w, d): the embedding of the name. */
  readonly reading: Float32Array;
  /** The language model's own, (vocabulary, w). */
  readonly embedding: FloatTensor;
  /** The row of `<image>` in it. */
  readonly image: number;
}

const openGate = 0.5;
/** Of the latents, in place of 1, so that they do not hide the mean. */
const latentsDeviation = 0.5;
/** How much more of a word the language model is told than the maps say. */
const [namingStrength, readingStrength] = [3, 3];
/** Of the empty latent, so that what the layers add to it is nothing beside it. */
const emptyLength = 500;
/** By how much the empty latent's score is above those of others, for a token that is not `<image>`. */
const emptyScore = 12;
const imageLength = 0.3;

/**
 * @param seed of all other numbers, which begin as `--from-scratch` has them
 * @returns the tensors of a checkpoint, the language model's embedding among them
 * @throws Error where the width of the patches does not divide that of the heads together
 */
export async function connectorsStart(
  config: FlamingoConfig,
  { naming, reading, embedding, image }: KnownMaps,
  seed: number,
): Promise<FloatTensors> {
  const start = await fromScratch(config, seed);
  const of = (name: string) => start.get(name)!.data;
  const latents = of("perceiver.latents");
  const [, d] = start.get("perceiver.latents")!.shape as [number, number];
  const empty = emptyDirection(d, seed);

  removeDirection(latents, empty);
  latents.forEach((value, i) => {
    latents[i] = i < d ? emptyLength * empty[i]! : latentsDeviation * value;
  });
  const allButEmpty = Float32Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? 1 : 0));
  removeDirection(allButEmpty, empty);
  for (let i = 0; i < config.perceiver.depth; i++) {
    const layer = `perceiver.layers.${i}`;
    setMap(of(`${layer}.0.to_kv.weight`), of(`${layer}.0.to_out.weight`), allButEmpty, d);
    of(`${layer}.1.3.weight`).fill(0); // the feed-forward layer adds nothing yet
  }

  const blocks = [...start.keys()]
    .filter((name) => name.endsWith("gated_cross_attn_layer.attn_gate"))
    .map((name) => name.replace(/_gate$/, ""));
  const setBlock = (block: string, map: Float32Array, strength: number) => {
    const scaled = map.map((value) => strength * value);
    removeDirection(scaled, empty);
    setMap(of(`${block}.to_kv.weight`), of(`${block}.to_out.weight`), scaled, d);
    of(`${block}_gate`).fill(openGate);
  };
  setBlock(blocks.at(-1)!, naming, namingStrength);
  if (blocks.length > 1) {
    setBlock(blocks[0]!, reading, readingStrength);
    const direction = wordlessDirection(embedding, image);
    lookAway(start, blocks[0]!, { direction, empty, headDim: config.crossAttention.headDim });
    const [, w] = embedding.shape as [number, number];
    const data = embedding.data.slice();
    data.set(
      direction.map((value) => imageLength * value),
      image * w,
    );
    start.set(`lang_encoder.${config.language.embedding}`, { ...embedding, data });
  }
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

/** A direction by lot, of length 1 and mean 0, so that a norm leaves it as it is. */
function emptyDirection(d: number, seed: number): Float32Array {
  const { normal } = randomStream(seed, "the empty latent");
  const direction = Float32Array.from({ length: d }, (_, i) => normal(i));
  const mean = direction.reduce((sum, value) => sum + value, 0) / d;
  const length = Math.hypot(...direction.map((value) => value - mean));
  return direction.map((value) => (value - mean) / length);
}

/** What rows (n, d) have along a direction (d) of length 1 is taken out of them, in their memory. */
function removeDirection(rows: Float32Array, direction: Float32Array): void {
  const d = direction.length;
  for (let at = 0; at < rows.length; at += d) {
    const row = rows.subarray(at, at + d);
    const along = row.reduce((sum, value, i) => sum + value * direction[i]!, 0);
    for (let i = 0; i < d; i++) row[i]! -= along * direction[i]!;
  }
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
  if (inner % d !== 0) throw new Error(`patches ${d} wide do not fit evenly into heads of ${inner} together`);
  const share = Math.sqrt(d / inner);
  toKv.fill(0, inner * d);
  for (let r = 0; r < inner; r++) toKv[(inner + r) * d + (r % d)] = share;
  for (let i = 0; i < toOut.length; i++) {
    const [row, r] = [Math.floor(i / inner), i % inner];
    toOut[i] = share * map[row * d + (r % d)]!;
  }
}

/**
 * Makes every token but `<image>` look at the empty latent. The bias of the norm has the same for all tokens, which the
 * first query of each head sees; a token that has the direction takes it away.
 */
function lookAway(
  start: ReadonlyMap<string, FloatTensor>,
  attention: string,
  { direction, empty, headDim }: { direction: Float32Array; empty: Float32Array; headDim: number },
): void {
  const of = (name: string) => start.get(`${attention}.${name}`)!.data;
  const [w, d] = [direction.length, empty.length];
  const half = Math.sqrt(w) / 2; // of what `<image>` has of the direction behind the norm
  of("norm.bias").set(direction.map((value) => -half * value));
  const [toQ, toKv] = [of("to_q.weight"), of("to_kv.weight")];
  const key = (emptyScore * Math.sqrt(headDim)) / (half * Math.sqrt(d));
  for (let row = 0; row < toQ.length / w; row += headDim) {
    for (let i = 0; i < w; i++) toQ[row * w + i]! -= direction[i]!;
    for (let i = 0; i < d; i++) toKv[row * d + i]! += key * empty[i]!;
  }
}
