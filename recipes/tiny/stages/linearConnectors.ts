/** Before resampler and gated cross-attention: what they begin with, learnt over one vector of each image. */
import { join } from "node:path";
import { elementCount } from "../../../src/base/dtypes.js";
import { randomStream } from "../../../src/base/random.js";
import type { Feeds } from "../../../src/learn/learner.js";
import { type FlamingoConfig, gatedBlocks } from "../../../src/models/flamingo.js";
import type { FloatTensor, FloatTensors } from "../../../src/runs/runState.js";
import type { FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import { type LinearStart, mapsOfBlock } from "../towers/connectorsStart.js";
import type { Initial } from "../towers/initialTower.js";
import {
  type LinearConnectorsConfig,
  linearConnectorsGraph,
  linearLogitsGraph,
} from "../towers/linearConnectors.js";
import { readTensors } from "../towers/readTensors.js";
import { type Evaluate, trainTower } from "../towers/trainTower.js";
import { product, type Whitening, whitened } from "../towers/whitening.js";
import { languageFiles } from "../towers/writeTowers.js";
import { withArticle } from "../words/names.js";
import { singleTestScene } from "./clipSamples.js";
import { type Row, rowOfPair, rowsAt, textOfRows } from "./connectorRows.js";
import { type ImageMeans, openImageMeans } from "./imageMeans.js";
import { type KnownMaps, knownMaps } from "./knownMaps.js";
import type { Sources } from "./sources.js";
import type { Stage } from "./stage.js";

/** @returns undefined when it was stopped before its end */
export async function makeLinearConnectors(
  stage: Stage,
  sources: Sources,
  tokenizer: FlamingoTokenizer,
  flamingo: FlamingoConfig,
): Promise<LinearStart | undefined> {
  const means = await openImageMeans(stage);
  try {
    const language = new Map(await readTensors(join(stage.folder, "lang", languageFiles.weights)));
    const embedding = language.get(flamingo.language.embedding)!;
    const known = await knownMaps(stage, sources, tokenizer, { means, embedding });
    setImage(embedding, tokenizer.special.image, known.direction);
    const maps = await train(stage, sources, tokenizer, {
      means,
      known,
      language,
      config: configOf(flamingo),
    });
    return maps && { maps: ofMeans(maps, known.whitening), embedding };
  } finally {
    await means.close();
  }
}

/** Parameters that look at means of patches, from those that look at whitened ones. */
const ofMeans = (parameters: FloatTensors, { matrix }: Whitening): FloatTensors =>
  new Map(
    [...parameters].map(([name, { shape, data }]) => [
      name,
      { shape, data: name.endsWith(".maps") ? product(data, matrix, shape[1]!) : data },
    ]),
  );

const configOf = (flamingo: FlamingoConfig): LinearConnectorsConfig => ({
  language: flamingo.language,
  blocks: gatedBlocks(flamingo),
  visionWidth: flamingo.vision.hiddenSize,
  maps: mapsOfBlock(flamingo),
  latents: flamingo.perceiver.latents,
});

/** Of the embedding of `<image>`, beside words of about 1. */
const imageLength = 0.3;

function setImage({ shape, data }: FloatTensor, image: number, direction: Float32Array): void {
  data.set(
    direction.map((value) => imageLength * value),
    image * shape[1]!,
  );
}

interface Parts {
  readonly means: ImageMeans;
  readonly known: KnownMaps;
  /** The language model's parameters, which are not trained. */
  readonly language: FloatTensors;
  readonly config: LinearConnectorsConfig;
}

async function train(
  stage: Stage,
  sources: Sources,
  tokenizer: FlamingoTokenizer,
  { means, known, language, config }: Parts,
): Promise<FloatTensors | undefined> {
  const { settings, work, runtime, threads, signal, stopAfterSeconds, tell } = stage;
  const { steps, learningRate, evaluateEvery, ...amounts } = settings.connectors.linear;
  const parameters = Object.fromEntries(
    [...language].map(([name, tensor]) => [name, { dtype: "float32", ...tensor } as const]),
  );
  const feedsOf = async (rows: readonly Row[]) => ({
    ...parameters,
    ...textOfRows(rows, tokenizer),
    images: await vectorsOf(rows, means, known.whitening),
  });
  const logits = linearLogitsGraph(config);
  const trained = await trainTower({
    ...{ runtime, threads, signal, stopAfterSeconds, steps, learningRate, averageDecay: 0.998 },
    warmupSteps: Math.ceil(steps / 30),
    program: linearConnectorsGraph(config),
    initial: initialOf(config, known, settings.seed),
    folder: join(work, "linear-connectors"),
    settings: { seed: settings.seed, ...amounts },
    batchAt: (step) => feedsOf(rowsAt(sources, stage, step)),
    ...{ evaluateEvery, checkpointEvery: evaluateEvery },
    evaluate: async (load) => {
      const run = await load(logits);
      const said = (rows: readonly Row[]) => shareSaid(run, rows, feedsOf, tokenizer);
      const { drawn, photographs } = testRows(sources);
      return {
        drawn: await said(drawn),
        ...(photographs.length > 0 && { photographs: await said(photographs) }),
      };
    },
    onProgress: ({ step, values, seconds, waited, evaluation }) => {
      if (!evaluation && step % 20 !== 0) return;
      const more = evaluation ? ` ${JSON.stringify(evaluation)}` : "";
      const time = `${seconds.toFixed(2)} s (${waited.toFixed(2)})`;
      tell(`linear connectors ${step}/${steps} loss ${values.loss!.toFixed(4)} ${time}${more}`);
    },
  });
  return trained.isDone ? (trained.average ?? trained.parameters) : undefined;
}

/** (1 + n, d), the first of them 0 */
async function vectorsOf(rows: readonly Row[], means: ImageMeans, of: Whitening) {
  const d = Math.sqrt(of.matrix.length);
  const images = rows.flatMap((row) => row.images);
  const data = new Float32Array((1 + images.length) * d);
  data.set(whitened(await means.of(images), of), d);
  return { dtype: "float32", shape: [1 + images.length, d], data } as const;
}

/** How much more of a word the language model is given than the known maps say. */
const strength = 1.4;
/** By how much the score of the empty latent is above those of others in reading, for a token that is not `<image>`. */
const emptyScore = 12;
/** Of gates that nothing is known of, so that maps part. */
const gatesDeviation = 0.05;

/**
 * *Reading* is the first map of the first block, at `<image>` alone: the norm's bias is the same for all tokens, and what
 * `<image>` has of its direction outweighs it. *Naming* is the first map of the last block, for all tokens. Where it is to
 * be said is left to learn, and so are all other maps, which begin at 0.
 */
const initialOf =
  ({ language, blocks, maps: g }: LinearConnectorsConfig, known: KnownMaps, seed: number): Initial =>
  (name, shape) => {
    const w = language.hiddenSize;
    const [, block, part] = /^blocks\.(\d+)\.(.+)$/.exec(name)!;
    const [isFirst, isLast] = [blocks[0], blocks.at(-1)].map((each) => Number(block) === each);
    const half = Math.sqrt(w) / 2; // of what `<image>` has of its direction behind the norm
    const values = new Float32Array(elementCount(shape));
    switch (part) {
      case "norm.weight":
        return values.fill(1);
      case "norm.bias":
        return isFirst ? known.direction.map((value) => -half * value) : values;
      case "gates": {
        const { normal } = randomStream(seed, `initial values of ${name}`);
        for (let i = w; i < g * w; i++) values[i] = gatesDeviation * normal(i);
        if (isFirst) values.set(known.direction.map((value) => (emptyScore / half) * value));
        return values;
      }
      default: {
        const whitenedMap = (map: Float32Array) =>
          product(map, known.whitening.inverse, shape[1]!).map((value) => strength * value);
        if (isFirst) values.set(whitenedMap(known.reading));
        if (isLast) values.set(whitenedMap(known.naming));
        return values;
      }
    }
  };

const tested = 512;

/** Images of one thing that no training sees, and photographs, each with its name. */
function testRows(sources: Sources): Readonly<Record<"drawn" | "photographs", readonly Row[]>> {
  const { test } = sources.photographs;
  const row = (pixels: Uint8Array, name: string) => rowOfPair({ pixels, text: beginning + name });
  return {
    drawn: Array.from({ length: tested }, (_, i) => {
      const { pixels, text } = singleTestScene(sources, i);
      return row(pixels, text);
    }),
    photographs: Array.from({ length: Math.min(tested, test.length) }, (_, i) => {
      const { pixels, kind } = test[Math.floor((i * test.length) / tested)]!;
      return row(pixels, withArticle(kind));
    }),
  };
}

const beginning = "Output:";

/** Texts every token of which, behind their beginning, is the most probable one: what greedy decoding would say. */
async function shareSaid(
  run: Evaluate,
  rows: readonly Row[],
  feedsOf: (rows: readonly Row[]) => Promise<Feeds>,
  tokenizer: FlamingoTokenizer,
): Promise<number> {
  const given = 1 + tokenizer.encode(beginning).length; // with `<image>`
  let right = 0;
  for (let from = 0; from < rows.length; from += 64) {
    const { targets, weights, ...feeds } = await feedsOf(rows.slice(from, from + 64));
    const { logits } = await run(feeds);
    const [b, t] = targets!.shape as [number, number];
    const v = logits!.shape[1]!;
    const isMostProbable = (at: number) => {
      const own = (logits!.data as Float32Array).subarray(at * v, (at + 1) * v);
      return own.every((x) => x <= own[Number(targets!.data[at])]!);
    };
    for (let row = 0; row < b; row++) {
      const places = Array.from({ length: t - given + 1 }, (_, i) => row * t + given - 1 + i);
      if (places.every((at) => Number(weights!.data[at]) === 0 || isMostProbable(at))) right++;
    }
  }
  return right / rows.length;
}
