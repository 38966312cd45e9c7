/**
 * A calibration run: a model reads images with texts, and how strong each column is that a matrix is multiplied with is
 * measured. Where weights have few bits, the search of their scales counts an error by that strength, since
 * E[(Σ_j (w_j − q_j) x_j)²] = Σ_j (w_j − q_j)² E[x_j²] for columns x_j that are independent.
 */
import { withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import {
  type FormatOf,
  type Graph,
  inputSquares,
  isInRows,
  quantize,
  tensorOfSquares,
} from "../graph/index.js";
import { compile } from "../onnx/compile.js";
import type { Program, Runtime, Session } from "../runtime/runtime.js";
import type { Importance } from "../weights/loadWeights.js";
import type { EncodedImage } from "./encodedImages.js";
import { decodeGraph, encodeGraph } from "./graphs.js";
import { openModelRunner, type RunnerSettings, type WeightSource } from "./modelRunner.js";

/** A text with its images, as a model reads them. */
export interface CalibrationSample {
  /** float32 (3, S, S) each, normalised. */
  readonly images: readonly Float32Array[];
  readonly ids: readonly number[];
}

/** Whether there is a search of scales for a matrix: in 8 bits it would gain nothing. */
const isSearched =
  (formatOf: FormatOf | undefined) =>
  (...matrix: Parameters<FormatOf>): boolean => {
    const format = formatOf?.(...matrix);
    return format !== undefined && !isInRows(format) && format.bits === 4;
  };

export type CalibrationOptions = WeightSource &
  Omit<RunnerSettings, "programs"> & {
    /** Formats that importance is wanted for, where they are not those of the weights that are given. */
    readonly searched?: FormatOf | undefined;
    /** Called with samples done and in all. */
    readonly onSample?: ((done: number, total: number) => void) | undefined;
  };

/**
 * The importance of the columns of all matrices in 4 bits: their mean square over all tokens of all samples, 1 on
 * average.
 *
 * The products may be those with weights in few bits: what is measured is rounded as it will be in use.
 *
 * @param formatOf the formats of the weights that are given; float32 when left out
 * @throws OpenFlamingoError as `openModelRunner`, and the errors of reading a prompt; `logits-not-finite` where a column
 *   is too large for float32
 */
export async function calibrate(
  formatOf: FormatOf | undefined,
  samples: readonly CalibrationSample[],
  { searched = formatOf, onSample, ...options }: CalibrationOptions,
): Promise<Importance> {
  const inFormats = (graph: Graph) => (formatOf ? quantize(graph, formatOf) : graph);
  const { config } = options;
  const programs = [
    compile(inFormats(encodeGraph(config))),
    compile(inFormats(inputSquares(decodeGraph(config), isSearched(searched)))),
  ];
  const sums = new Map<string, Float64Array>();
  const runtime = summing(options.runtime, sums);
  const { signal } = options;
  await withClosing(async (closing) => {
    const runner = closing(await openModelRunner({ ...options, programs, runtime }));
    for (const [i, { images, ids }] of samples.entries()) {
      signal?.throwIfAborted();
      const encoded: EncodedImage[] = [];
      for (const pixels of images) encoded.push(await runner.encode(pixels, { signal }));
      const decoder = await runner.decoder([{ ids, images: encoded }], { capacity: 0 });
      try {
        await decoder.logits({ signal });
      } finally {
        decoder.close();
      }
      onSample?.(i + 1, samples.length);
    }
  });
  return new Map([...sums].flatMap(([name, sum]) => importanceOf(name, sum)));
}

/** Sums in relation to their mean; none of a matrix that was multiplied with zeros alone. */
function importanceOf(name: string, sums: Float64Array): readonly (readonly [string, Float32Array])[] {
  const mean = sums.reduce((all, each) => all + each, 0) / sums.length;
  if (!Number.isFinite(mean)) {
    const what = `calibration: the columns that ${name} is multiplied with have no finite squares`;
    throw new OpenFlamingoError("logits-not-finite", what, {
      hint: "Does the model answer without calibration? If so, prepare it without.",
    });
  }
  return mean === 0 ? [] : [[name, Float32Array.from(sums, (sum) => sum / mean)]];
}

/** The runtime, adding up the outputs of `inputSquares` in all runs of all of its programs. */
function summing(runtime: Runtime, sums: Map<string, Float64Array>): Runtime {
  const watched = (session: Session, { outputs }: Program): Session => {
    const squares = outputs.flatMap(({ name }) => (tensorOfSquares(name) === undefined ? [] : [name]));
    const own = outputs.flatMap(({ name }) => (squares.includes(name) ? [] : [name]));
    const run: Session["run"] = async (feeds, { want = own, ...options } = {}) => {
      const found = await session.run(feeds, { ...options, want: [...want, ...squares] });
      for (const name of squares) {
        const { [name]: squared } = found;
        delete found[name];
        const data = squared!.data as Float32Array;
        const tensor = tensorOfSquares(name)!;
        const sum = sums.get(tensor) ?? new Float64Array(data.length);
        for (let i = 0; i < sum.length; i++) sum[i]! += data[i]!;
        sums.set(tensor, sum);
      }
      return found;
    };
    return { run, close: () => session.close(), [Symbol.asyncDispose]: () => session.close() };
  };
  return {
    name: runtime.name,
    version: runtime.version,
    sharesWeights: false, // so that there is no second program, which would not be watched
    load: async (program, options) => watched(await runtime.load(program, options), program),
    bind: (tensor) => runtime.bind(tensor),
    close: () => runtime.close(),
    [Symbol.asyncDispose]: () => runtime.close(),
  };
}
