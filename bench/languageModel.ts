/** A language model of 32 blocks with random weights, and a prompt with one image, for benches of generation. */
import { elementCount } from "../src/base/dtypes.js";
import { releasedCrossAttention } from "../src/models/crossAttention.js";
import { type FlamingoConfig, gatedBlocks } from "../src/models/flamingo.js";
import { mpt } from "../src/models/mpt.js";
import { releasedPerceiver } from "../src/models/perceiver.js";
import { vitL14 } from "../src/models/zoo.js";
import { type Compiled, compile } from "../src/onnx/compile.js";
import { createDecoder } from "../src/runner/decoder.js";
import { decodeSessions, type SessionOf } from "../src/runner/decodeSessions.js";
import type { Prompt } from "../src/runner/encodedImages.js";
import { decodeGraph } from "../src/runner/graphs.js";
import type { ModelRunner } from "../src/runner/modelRunner.js";
import { createTokenTree } from "../src/runner/tokenTree.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import type { Runtime, Session } from "../src/runtime/runtime.js";
import { withRandomWeights } from "./randomModel.js";

/** Of GPT-NeoX-20B's tokenizer with the tokens that OpenFlamingo adds. */
export const vocabulary = 50280;
export const imageToken = 50278;

/** The 9B's shape at another hidden size: 32 blocks, gated cross-attention before every fourth. */
export const blocks32 = (hiddenSize: number, heads: number): FlamingoConfig => ({
  vision: vitL14,
  perceiver: releasedPerceiver,
  crossAttention: releasedCrossAttention,
  crossAttentionEvery: 4,
  language: mpt({ layers: 32, hiddenSize, heads, mlpRatio: 4, vocabulary, contextLength: 2048, alibiMax: 8 }),
});

/** An image as its encoding, and made-up text after it. */
export function promptOf(config: FlamingoConfig, length: number): Prompt {
  const { heads, headDim } = config.crossAttention;
  const media = gatedBlocks(config).map(() => ({
    keys: new Float32Array(heads * config.perceiver.latents * headDim).fill(0.1),
    values: new Float32Array(heads * config.perceiver.latents * headDim).fill(0.1),
  }));
  const text = Array.from({ length: length - 1 }, (_, i) => (i * 97) % 50000);
  return { ids: [imageToken, ...text], images: [{ media }] };
}

export interface RandomLanguage extends AsyncDisposable {
  readonly compiled: Compiled;
  readonly runtime: Runtime;
  readonly session: Session;
  readonly sessionOf: SessionOf;
  /** Of the weights, as float32. */
  readonly megabytes: number;
}

export async function openRandomLanguage(config: FlamingoConfig, threads: number): Promise<RandomLanguage> {
  const compiled = compile(decodeGraph(config));
  const runtime = await openOrtFfi();
  const program = withRandomWeights(compiled);
  const session = await runtime.load(program, { threads });
  const sessionOf = decodeSessions(runtime, config, { session, weights: compiled.weights }, (other) =>
    runtime.load(
      other.with((name) => program.weights.get(name)!),
      { threads },
    ),
  );
  const bytes = compiled.weights.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  return {
    compiled,
    runtime,
    session,
    sessionOf,
    megabytes: Math.round(bytes / 1e6),
    [Symbol.asyncDispose]: () => runtime.close(),
  };
}

/** What generation sees of a model runner. Its prompts come with their images, so that none is ever encoded. */
export const runnerOn = (
  runtime: Runtime,
  sessionOf: SessionOf,
  config: FlamingoConfig,
): Pick<ModelRunner, "decoder" | "tokenTree"> => ({
  decoder: (prompts, options) =>
    createDecoder({
      ...{ runtime, sessionOf, config, imageToken },
      ...options,
      prompts,
      zeroImage: async () => prompts[0]!.images[0]!,
    }),
  tokenTree: (prompt, options) =>
    createTokenTree({ runtime, sessionOf, config, imageToken, ...options, prompt }),
});

/** A session that answers at once, without computing: what is left of the time is our own code's. */
export const idle = (session: Session): Session => ({
  ...session,
  run: async () => ({}),
  close: async () => {},
});
