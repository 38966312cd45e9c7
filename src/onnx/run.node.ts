/** Runs a graph that a user has written: compiles it, gives it its weights, and checks what is fed by its own names. */
import { bytesOf, type DType, type ElementsOf, elementCount } from "../base/dtypes.js";
import { OpenFlamingoError } from "../base/errors.js";
import { floatToBfloat16, floatToHalf } from "../base/halfPrecision.js";
import type { Graph } from "../graph/index.js";
import { type HostTensor, zeros } from "../runtime/hostTensor.js";
import { openRuntime } from "../runtime/openRuntime.node.js";
import { planRun } from "../runtime/plan.js";
import type { Program } from "../runtime/runtime.js";
import { compile, type WeightUse } from "./compile.js";

/** Tensors by the names of a graph's inputs or outputs. */
export type HostTensors = Readonly<Record<string, HostTensor>>;

/** A weight that a graph wants. */
export interface WantedWeight {
  /** As the graph calls it: its name in the checkpoint. */
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** How many numbers that are. */
  readonly elements: number;
}

export interface OpenGraphOptions {
  /** The numbers of the graph's weights in row-major order, by their names; or a function that makes them. */
  readonly weights?:
    | Readonly<Record<string, ArrayLike<number>>>
    | ((weight: WantedWeight) => ArrayLike<number>);
  /** `ort.ffi` or `ort.binding`; the best that works here when left out. */
  readonly backend?: string;
  /** Threads of one run; all cores when left out. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** A graph that is ready to run. The caller closes it. */
export interface OpenGraph extends AsyncDisposable {
  /**
   * @param feeds a tensor for each input
   * @returns a tensor for each output
   * @throws OpenFlamingoError `usage` for feeds that do not fit the inputs; `memory`, `backend`; `signal.reason`
   */
  run(feeds: HostTensors, options?: { readonly signal?: AbortSignal }): Promise<Record<string, HostTensor>>;
  /** Gives all memory back. Harmless when repeated. */
  close(): Promise<void>;
}

/**
 * Makes a graph ready to run, once for many runs.
 *
 * @throws OpenFlamingoError `usage` for weights that are missing, unknown or of another size; `shape` for a graph that
 *   cannot be compiled; `memory`, `backend`; `signal.reason`
 */
export async function openGraph(
  graph: Graph,
  { weights = {}, backend, threads, signal }: OpenGraphOptions = {},
): Promise<OpenGraph> {
  const compiled = compile(graph);
  const program: Program = { ...compiled.program, weights: memoryOf(graph, compiled.weights, weights) };
  const runtime = await openRuntime(backend);
  try {
    const options = { ...(threads !== undefined && { threads }), signal };
    const session = await runtime.load(program, options);
    const close = () => runtime.close();
    return {
      async run(feeds, { signal } = {}) {
        checkFeeds(program, feeds);
        return session.run(feeds, { signal });
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

/** Runs a graph once; throws as `openGraph` and its `run`. */
export async function run(
  graph: Graph,
  feeds: HostTensors,
  options: OpenGraphOptions = {},
): Promise<Record<string, HostTensor>> {
  const open = await openGraph(graph, options);
  try {
    return await open.run(feeds, options);
  } finally {
    await open.close();
  }
}

/**
 * A tensor of these numbers, in row-major order: what a graph is fed with.
 *
 * @example
 * hostTensor("float32", [2, 3], [1, 2, 3, 4, 5, 6]);
 * @throws OpenFlamingoError `usage` for another count of numbers than the shape has; `memory`
 */
export function hostTensor<D extends DType>(
  dtype: D,
  shape: readonly number[],
  values: ArrayLike<number>,
): HostTensor<D> {
  const tensor = zeros(dtype, shape);
  requireCount(`a tensor (${shape.join(", ")})`, elementCount(shape), values);
  const elementOf = elementsBy[dtype] ?? ((value: number) => value);
  for (let i = 0; i < values.length; i++) tensor.data[i] = elementOf(values[i]!) as ElementsOf[D][number];
  return tensor;
}

/** Types whose elements are not JavaScript's numbers. */
const elementsBy: { readonly [D in DType]?: (value: number) => number | bigint } = {
  float16: floatToHalf,
  bfloat16: floatToBfloat16,
  int64: BigInt,
};

const usage = (message: string, hint: string, cause?: unknown) =>
  new OpenFlamingoError("usage", message, { hint, cause });

function requireCount(what: string, count: number, values: ArrayLike<number>): void {
  if (values.length === count) return;
  throw usage(
    `${what} has ${count} numbers, and ${values.length} were given`,
    "Give one number for each element.",
  );
}

/** The weights that a program wants, from what the caller gives. */
function memoryOf(
  graph: Graph,
  uses: readonly WeightUse[],
  given: NonNullable<OpenGraphOptions["weights"]>,
): ReadonlyMap<string, HostTensor> {
  // A weight that is used in several shapes is one tensor.
  const wanted = new Map(uses.map(({ tensor, dtype, from }) => [tensor, { dtype, shape: from }]));
  const giver = typeof given === "function" ? given : ({ name }: WantedWeight) => given[name];
  const unknown = typeof given === "function" ? [] : Object.keys(given).filter((name) => !wanted.has(name));
  const missing: string[] = [];
  const tensors = new Map<string, HostTensor>();
  for (const [name, { dtype, shape }] of wanted) {
    const values = giver({ name, dtype, shape, elements: elementCount(shape) });
    if (values === undefined) missing.push(`${name} (${shape.join(", ")})`);
    else {
      requireCount(`${graph.name}: weight ${name} (${shape.join(", ")})`, elementCount(shape), values);
      tensors.set(name, hostTensor(dtype, shape, values));
    }
  }
  const faults = [
    ...(missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
    ...(unknown.length > 0 ? [`unknown: ${unknown.join(", ")}`] : []),
  ];
  if (faults.length > 0) {
    throw usage(
      `${graph.name}: weights do not fit, ${faults.join("; ")}`,
      "Give weights by the names that print(graph) shows, or a function that makes them.",
    );
  }
  return new Map(uses.map(({ name, tensor, shape }) => [name, { ...tensors.get(tensor)!, shape }]));
}

/** Feeds come from a user: what is wrong with them is no bug of the program. */
function checkFeeds(program: Program, feeds: HostTensors): void {
  const hint = 'A feed is a tensor: hostTensor("float32", [2, 3], [1, 2, 3, 4, 5, 6]).';
  for (const [name, feed] of Object.entries(feeds)) {
    const { dtype, shape, data } = (feed ?? {}) as Partial<HostTensor>;
    const isTensor =
      dtype !== undefined && dtype in bytesOf && Array.isArray(shape) && ArrayBuffer.isView(data);
    if (!isTensor) throw usage(`${program.name}: feed "${name}" is not a tensor`, hint);
  }
  try {
    planRun(program, feeds, { want: [] });
  } catch (error) {
    if (!(error instanceof OpenFlamingoError) || error.code !== "backend") throw error;
    throw usage(error.message, hint, error);
  }
}
