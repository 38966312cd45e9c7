/** The optimizer at work: its programs on a runtime, over the flat arrays of a state. */
import { compile } from "../onnx/compile.js";
import type { HostTensor } from "../runtime/hostTensor.js";
import type { Runtime, Session } from "../runtime/runtime.js";
import { factorsOf, squaresGraph, type UpdateFactors, updateGraph } from "./adamw.js";
import type { TrainingState } from "./state.js";

export interface Optimizer {
  /** The norm of all gradients together. */
  norm(gradients: Float32Array): Promise<number>;
  /** One step. The caller counts it. */
  update(state: TrainingState, gradients: Float32Array, factors: Factors): Promise<void>;
  close(): Promise<void>;
}

/** @param weightDecay of the tensors that have any */
export type Factors = Omit<UpdateFactors, "decay"> & { readonly weightDecay: number };

/**
 * Numbers of a piece: a megabyte of each array, so that a piece and what is computed of it stay in a core's cache.
 */
const pieceLength = 2 ** 18;

/** @param threads how many pieces are worked on at once */
export async function openOptimizer(runtime: Runtime, { threads }: { threads: number }): Promise<Optimizer> {
  const sessions: Session[] = [];
  const close = async () => {
    for (const session of sessions) await session.close();
  };
  const open = async (graph: ReturnType<typeof updateGraph>) => {
    const session = await runtime.load(compile(graph).with(never), { threads: 1 });
    sessions.push(session);
    return session;
  };
  try {
    const workers: { update: Session; squares: Session }[] = [];
    for (let i = 0; i < threads; i++) {
      workers.push({ update: await open(updateGraph()), squares: await open(squaresGraph()) });
    }
    return {
      async norm(gradients) {
        const sums = await inPieces(workers, 0, gradients.length, async ({ squares }, start, end) => {
          const result = await squares.run({ gradients: flat(gradients.subarray(start, end)) });
          return Number(result.squares!.data[0]);
        });
        return Math.sqrt(sums.reduce((sum, each) => sum + each, 0));
      },
      async update({ trained, ...state }, gradients, { weightDecay, ...factors }) {
        const ranges = [
          [0, trained.withoutDecay, weightDecay],
          [trained.withoutDecay, trained.length, 0],
        ] as const;
        for (const [from, to, decay] of ranges) {
          const numbers = Object.entries(factorsOf({ ...factors, decay }));
          const scalars = Object.fromEntries(numbers.map(([name, x]) => [name, flat(Float32Array.of(x))]));
          await inPieces(workers, from, to, async ({ update }, start, end) => {
            const piece = (array: Float32Array) => flat(array.subarray(start, end));
            const [parameters, first, second] = [
              piece(state.parameters),
              piece(state.firstMoments),
              piece(state.secondMoments),
            ];
            await update.run(
              { parameters, first, second, gradients: piece(gradients), ...scalars },
              { outputs: { "next parameters": parameters, "next first": first, "next second": second } },
            );
          });
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const never = (name: string): never => {
  throw new Error(name);
};

const flat = (data: Float32Array): HostTensor => ({ dtype: "float32", shape: [data.length], data });

/** Work on all pieces from `from` to `to`, each worker on one at a time; the results in the order of the pieces. */
async function inPieces<Worker, Result>(
  workers: readonly Worker[],
  from: number,
  to: number,
  work: (worker: Worker, start: number, end: number) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const count = Math.ceil((to - from) / pieceLength);
  let next = 0;
  const all = workers.map(async (worker) => {
    while (next < count) {
      const piece = next++;
      const start = from + piece * pieceLength;
      results[piece] = await work(worker, start, Math.min(to, start + pieceLength));
    }
  });
  await Promise.all(all);
  return results;
}
