/** A program that learns at work on a runtime: the state and the gradients so far are bound to it as they lie. */
import type { HostTensor } from "../runtime/hostTensor.js";
import type { BoundTensor, LoadOptions, Program, Runtime, Session } from "../runtime/runtime.js";
import { allocate } from "../weights/weightMemory.js";
import { gradientName, inputOf, nextGradientName, scaleInput } from "./gradients.js";
import type { TrainingState } from "./state.js";
import { viewOf } from "./trainedTensors.js";

export type Feeds = Readonly<Record<string, HostTensor>>;

/** How a program is run. */
export interface RunLearner {
  /** Which outputs are wanted; all but the gradients when left out. */
  readonly want?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Learner {
  /** Gradients so far, as they lie in the state. */
  readonly gradients: Float32Array;
  /**
   * Runs the program; its gradients, times `scale` (default 1), are added to those so far.
   *
   * @returns the outputs wanted
   */
  learn(
    feeds: Feeds,
    options?: RunLearner & { readonly scale?: number | undefined },
  ): Promise<Record<string, HostTensor>>;
  /** Another program over the same parameters, as far as it has inputs for them; it is closed with the learner. */
  load(
    program: Program,
  ): Promise<(feeds: Feeds, options?: RunLearner) => Promise<Record<string, HostTensor>>>;
  close(): Promise<void>;
}

/**
 * @param program of a graph that `addGradients` has completed, for the tensors of the state
 * @throws OpenFlamingoError `memory`, `backend`; `signal.reason`
 */
export async function openLearner(
  runtime: Runtime,
  program: Program,
  state: TrainingState,
  options: Pick<LoadOptions, "threads" | "signal"> = {},
): Promise<Learner> {
  const gradients = allocate("the gradients", state.trained.length);
  const bound: BoundTensor[] = [];
  const sessions: Session[] = [];
  const close = async () => {
    for (const session of sessions) await session.close();
    for (const each of bound) each.release();
  };
  const open = async (program: Program) => {
    const session = await runtime.load(program, options);
    sessions.push(session);
    return session;
  };
  const bind = (data: Float32Array, shape: readonly number[]) => {
    const tensor = runtime.bind({ dtype: "float32", shape, data });
    bound.push(tensor);
    return tensor;
  };
  try {
    const learning = await open(program);
    const parameters: Record<string, BoundTensor> = {};
    const before: Record<string, BoundTensor> = {};
    const outputs: Record<string, BoundTensor> = {};
    for (const each of state.trained.tensors) {
      const gradient = bind(viewOf(gradients, each), each.shape);
      parameters[inputOf(each)] = bind(viewOf(state.parameters, each), each.shape);
      before[gradientName(each.name)] = gradient;
      outputs[nextGradientName(each.name)] = gradient;
    }
    const others = program.outputs.map(({ name }) => name).filter((name) => !(name in outputs));
    return {
      gradients,
      async learn(feeds, { want = others, scale = 1, signal } = {}) {
        const factor: HostTensor = { dtype: "float32", shape: [1], data: Float32Array.of(scale) };
        const all = { ...parameters, ...before, ...feeds, [scaleInput]: factor };
        const results = await learning.run(all, { outputs, want, signal });
        return Object.fromEntries(want.map((name) => [name, results[name]!])); // without the gradients
      },
      async load(other) {
        const session = await open(other);
        const own = Object.fromEntries(
          other.inputs.flatMap(({ name }) => {
            const parameter = parameters[name];
            return parameter ? [[name, parameter]] : [];
          }),
        );
        return (feeds, { want, signal } = {}) =>
          session.run({ ...own, ...feeds }, { ...(want && { want }), signal });
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
