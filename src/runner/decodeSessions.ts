/**
 * The sessions of the decode program: one for single tokens and long prompts, and for runs of a few rows, as beams and
 * short prompts have them, one whose products are turned round (see `fewRows`). Both compute in the same weights.
 */
import { onFirstUse } from "../base/onFirstUse.js";
import { fewRows } from "../graph/index.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import { type Compiled, compile, type WeightUse } from "../onnx/compile.js";
import type { Runtime } from "../runtime/runtime.js";
import type { CacheFormat } from "./cacheFormats.js";
import { decodeGraph } from "./graphs.js";
import type { Runs } from "./inSequence.js";

/** Rows from which turning round pays, and from which it does not any more: docs/benchmarks.md. */
const [fewest, most] = [2, 64];

/** Making the second session takes a tenth of a second: matrices of less do not give it back. */
const leastBytes = 2 ** 28;

/** The session for a run of so many rows. */
export type SessionOf = (rows: number) => Promise<Runs>;

/**
 * @param decoding the program's plain session, and its weights
 * @param load makes a session of another program over the same weights, to be closed with it
 */
export function decodeSessions(
  runtime: Runtime,
  config: FlamingoConfig,
  decoding: {
    readonly session: Runs;
    readonly weights: readonly WeightUse[];
    /** As in `DecodeProgram`. */
    readonly cacheFormat?: CacheFormat | undefined;
  },
  load: (compiled: Compiled) => Promise<Runs>,
): SessionOf {
  const matrices = decoding.weights.filter(
    ({ dtype, shape, part }) => dtype === "float32" && shape.length === 2 && !part,
  );
  const bytes = matrices.reduce((sum, { shape: [n, k] }) => sum + 4 * n! * k!, 0);
  // Elsewhere the second session would copy the weights. Matrices in blocks have kernels that need no turning.
  if (!runtime.sharesWeights || bytes < leastBytes) return () => Promise.resolve(decoding.session);
  const turned = onFirstUse(() => load(compile(fewRows(decodeGraph(config, decoding.cacheFormat)))));
  return (rows) => (rows < fewest || rows > most ? Promise.resolve(decoding.session) : turned());
}
