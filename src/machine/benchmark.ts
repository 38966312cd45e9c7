/**
 * How fast a loaded model is: an image, prompts, tokens, shots and beams, each beside what the machine can do at best.
 *
 * Times are medians, and of what takes long, of few runs. Prompts are made up: what is said does not change the time.
 */
import { beamSearch } from "../generate/beams.js";
import { greedy } from "../generate/greedy.js";
import type { WeightUse } from "../onnx/compile.js";
import type { EncodedImage, Prompt } from "../runner/encodedImages.js";
import { decodeGraph, encodeGraph } from "../runner/graphs.js";
import type { ModelRunner } from "../runner/modelRunner.js";
import { bytesPerToken, distinct } from "./forecast.js";
import { operationsOf } from "./operations.js";
import type { Speed } from "./speed.js";

/** A figure beside the machine's limit: of arithmetic in GFLOP a second, of reading in GB a second. */
interface Rate {
  /** Of one image, prompt or token. */
  readonly milliseconds: number;
  readonly rate: number;
  /** Of what the machine did in a plain product of the same format. */
  readonly share: number;
}

export interface Benchmark {
  readonly image: Rate;
  readonly prompts: readonly (Rate & { readonly tokens: number; readonly tokensPerSecond: number })[];
  readonly token: Rate & { readonly tokensPerSecond: number };
  /** An answer after examples: all of its images encoded, the prompt read, the tokens generated. */
  readonly shots: {
    readonly shots: number;
    readonly promptTokens: number;
    readonly newTokens: number;
    readonly milliseconds: number;
  };
  /** Bytes that the process had in memory at most, while it was measured. */
  readonly memory: number;
  /** A step of a beam search, and how many times as long it takes as a greedy one. */
  readonly beams: { readonly beams: number; readonly milliseconds: number; readonly ratio: number };
}

export interface BenchmarkOptions {
  readonly imageToken: number;
  /** What the machine can do; asked at the end. */
  readonly speed: () => Promise<Speed>;
  readonly signal?: AbortSignal | undefined;
  /** What the process has in memory now, in bytes. */
  readonly resident: () => number;
  /** Called before each part. */
  readonly onStep?: ((what: string) => void) | undefined;
}

/** Lengths of prompts, in tokens, as far as the model has positions; and what is generated after them. */
const lengths = [32, 128, 512];
const newTokens = 16;
const shots = 4;
const wordsOfShot = 12;
const beams = 3;

/** @throws OpenFlamingoError as generation does; the signal's reason */
export async function benchmark(runner: ModelRunner, options: BenchmarkOptions): Promise<Benchmark> {
  const { resident } = options;
  let memory = resident();
  const watch = setInterval(() => {
    memory = Math.max(memory, resident());
  }, 20);
  try {
    const speed = () => {
      clearInterval(watch); // that the machine is measured takes memory too
      memory = Math.max(memory, resident());
      return options.speed();
    };
    return { ...(await measureAll(runner, { ...options, speed })), memory };
  } finally {
    clearInterval(watch);
  }
}

async function measureAll(
  runner: ModelRunner,
  options: BenchmarkOptions,
): Promise<Omit<Benchmark, "memory">> {
  const { imageToken, signal, onStep } = options;
  const { config, weightUses } = runner;
  const { contextLength, vocabulary } = config.language;
  const [encoding = [], ...stages] = weightUses;
  const decoding = distinct(stages);

  let images = 0;
  const encode = () => {
    const { imageSize } = config.vision;
    return runner.encode(new Float32Array(3 * imageSize ** 2).fill(++images / 16), { signal });
  };
  const words = (count: number) =>
    Array.from({ length: count }, (_, i) => {
      const id = (97 * i + 11) % vocabulary;
      return id === imageToken ? 0 : id;
    });
  const limits = { maxNewTokens: newTokens, endTokens: [], banned: [imageToken], signal };
  const generate = async (prompt: Prompt) => {
    const decoder = await runner.decoder([prompt], { capacity: newTokens });
    try {
      for await (const _ of greedy(decoder, limits));
    } finally {
      decoder.close();
    }
  };
  const read = async (prompt: Prompt) => {
    const decoder = await runner.decoder([prompt], { capacity: 1 });
    try {
      await decoder.prefill({ signal });
    } finally {
      decoder.close();
    }
  };

  onStep?.("an image");
  const oneImage = await encode();
  const image = await median(encode);

  const prompts: { tokens: number; milliseconds: number }[] = [];
  for (const tokens of lengths.filter((length) => length < contextLength)) {
    onStep?.(`a prompt of ${tokens} tokens`);
    const prompt = promptOf(oneImage, imageToken, words(tokens - 1));
    prompts.push({ tokens, milliseconds: await median(() => read(prompt)) });
  }

  onStep?.("tokens");
  const short = promptOf(oneImage, imageToken, words(7));
  const reading = await median(() => read(short));
  /** Of one of the steps after the first token, which the prompt gives. */
  const step = (milliseconds: number) => Math.max(0, milliseconds - reading) / (newTokens - 1);
  const greedyStep = step(await median(() => generate(short)));

  onStep?.(`${shots} shots`);
  const ids = Array.from({ length: shots + 1 }, () => [imageToken, ...words(wordsOfShot)]).flat();
  const withShots = await median(async () => {
    const all: EncodedImage[] = [];
    for (let i = 0; i <= shots; i++) all.push(await encode());
    await generate({ ids, images: all });
  });

  onStep?.(`${beams} beams`);
  const beamStep = step(await median(() => beamSearch(runner, short, { ...limits, beams })));

  const speed = await options.speed();
  const decode = decodeGraph(config);
  const operationsOfPrompt = (tokens: number) =>
    operationsOf(decode, { b: 1, t: tokens, total: tokens, s: 1, w: 1, images: 1, capacity: tokens + 1 });
  const bandwidth = bitsOf(decoding) === 4 ? speed.int4Bandwidth : speed.bandwidth;
  return {
    image: rateOf(image, operationsOf(encodeGraph(config), { N: 1 }), arithmeticOf(encoding, speed)),
    prompts: prompts.map(({ tokens, milliseconds }) => ({
      tokens,
      tokensPerSecond: (1000 * tokens) / milliseconds,
      ...rateOf(milliseconds, operationsOfPrompt(tokens), arithmeticOf(decoding, speed)),
    })),
    token: {
      tokensPerSecond: 1000 / greedyStep,
      ...rateOf(greedyStep, bytesPerToken(decoding, config.language), bandwidth),
    },
    shots: { shots, promptTokens: ids.length, newTokens, milliseconds: withShots },
    beams: { beams, milliseconds: beamStep, ratio: beamStep / greedyStep },
  };
}

const promptOf = (image: EncodedImage, imageToken: number, words: readonly number[]): Prompt => ({
  ids: [imageToken, ...words],
  images: [image],
});

/** @param amount operations, or bytes, of one run @param limit billions a second */
const rateOf = (milliseconds: number, amount: number, limit: number): Rate => {
  const rate = amount / 1e6 / milliseconds;
  return { milliseconds, rate, share: rate / limit };
};

/** Bits of a program's matrices; undefined: float32. */
const bitsOf = (weights: readonly WeightUse[]): number | undefined => {
  const bits = weights.flatMap(({ part }) => part?.bits ?? []);
  return bits.length === 0 ? undefined : Math.min(...bits);
};

function arithmeticOf(weights: readonly WeightUse[], { float32, int8, int4 }: Speed): number {
  const bits = bitsOf(weights);
  return bits === undefined ? float32 : bits === 4 ? int4 : int8;
}

/** Milliseconds of a run: the median of up to 7 after a first one, which counts alone where it takes seconds. */
async function median(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  const begin = performance.now();
  do {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  } while (times.length < 8 && performance.now() - begin < 3000);
  const counted = times.length > 1 ? times.slice(1) : times;
  return counted.sort((a, b) => a - b)[Math.floor((counted.length - 1) / 2)]!;
}
